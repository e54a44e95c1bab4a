#version 450
// Crops of maps: what a signal from a single position of the target meets on its way back (src/nn/crop.h).  A crop is
// an image of its own for each image of each copy, [image of a copy][channel][row][column]; where it lies in its map
// follows from that copy's position.  One invocation handles one element of the crop that is named first:
//
// GATHER: a tensor's values in the crop, and 1 outside of the map, where the signal is zero.
// SWITCHES: a pool's switches, counted in the crop of its input; outside of the map, each window's first place.
// PLACE: the crop becomes a smaller one of the same map with zeros around.
// ADD: the crop is added to a larger one of the same map.
// IMAGE: the crop in its map, which is zero before.
// These leave out what lies outside of the map, or make it zero.
//
// OUTSIDE: in the crop, what lies outside of the map becomes zero.  One invocation handles one row.
//
// variant: gather -DGATHER
// variant: gather.texels -DGATHER -DTEXELS
// variant: gather.halves -DGATHER -DHALVES
// variant: switches -DSWITCHES
// variant: switches.texels -DSWITCHES -DTEXELS
// variant: place -DPLACE
// variant: place.texels -DPLACE -DTEXELS
// variant: add -DADD
// variant: add.texels -DADD -DTEXELS
// variant: image -DIMAGE
// variant: image.texels -DIMAGE -DTEXELS
// variant: outside -DOUTSIDE
// variant: outside.texels -DOUTSIDE -DTEXELS
#include "common.glsl"

layout(local_size_x_id = 0) in;

#ifdef TEXELS
layout(binding = 1) uniform usamplerBuffer selections;
#define POSITION(image) texelFetch(selections, int(8 * (image) + 2)).x
#ifdef SWITCHES
layout(binding = 0) uniform usamplerBuffer source;
#else
layout(binding = 0) uniform samplerBuffer source;
#endif
#define SOURCE(i) texelFetch(source, int(i)).x
#else
layout(binding = 1) readonly buffer Selections { ivec4 selections[]; };
#define POSITION(image) uint(selections[2 * (image)].z)
#if defined(SWITCHES) || defined(HALVES)
layout(binding = 0) readonly buffer Source { uint source[]; };
#else
layout(binding = 0) readonly buffer Source { float source[]; };
#endif
#define SOURCE(i) source[i]
#endif
#ifdef SWITCHES
layout(binding = 2) writeonly buffer Destination { uint destination[]; };
#else
layout(binding = 2) buffer Destination { float destination[]; };
#endif

layout(push_constant) uniform Push {
    uint items, channels;
    uint images;         // of the network; copies share them
    uint height, width;  // of the crop
    uint map_height, map_width;
    int stride_y, stride_x, first_y, first_x;  // it begins in the map at position · stride + first
    uint target_width;
    uint together;  // channels of a place that lie together in the tensor, see Layout
    // SWITCHES: the same of the pool's input, and from one window to the next there.  PLACE, ADD: where in the larger
    // crop the smaller begins, and the size of the other crop.
    int other_stride_y, other_stride_x, other_first_y, other_first_x;
    uint other_height, other_width, other_map_width;
    uint step_y, step_x;
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
#ifdef OUTSIDE
    const uint row = index;
#else
    const uint row = quotient(index, p.width);
    const int x = int(index - row * p.width);
#endif
    const uint plane = quotient(row, p.height);
    const int y = int(row - plane * p.height);
    const uint image = quotient(plane, p.channels);
    const uint position = POSITION(image);
    const int position_y = int(quotient(position, p.target_width));
    const int position_x = int(position) - position_y * int(p.target_width);
    const uint map_y = uint(position_y * p.stride_y + p.first_y + y);
    const int begin_x = position_x * p.stride_x + p.first_x;
#ifdef OUTSIDE
    const int width = int(p.width);
    const int left = map_y < p.map_height ? clamp(-begin_x, 0, width) : width;
    const int right = clamp(begin_x + width - int(p.map_width), 0, width - left);
    for (int i = 0; i < left + right; ++i) destination[row * p.width + (i < left ? i : width - 1 - (i - left))] = 0.0;
#else
    const uint map_x = uint(begin_x + x);
    const bool in_map = map_y < p.map_height && map_x < p.map_width;
#ifdef PLACE
    const uint from_y = uint(y - p.other_first_y);
    const uint from_x = uint(x - p.other_first_x);
    const bool inside = in_map && from_y < p.other_height && from_x < p.other_width;
    const float value = SOURCE(inside ? (plane * p.other_height + from_y) * p.other_width + from_x : 0);
    destination[index] = inside ? value : 0.0;
#elif defined(ADD)
    const uint to = (plane * p.other_height + uint(y + p.other_first_y)) * p.other_width + uint(x + p.other_first_x);
    if (in_map) destination[to] += SOURCE(index);
#elif defined(IMAGE)
    const float value = SOURCE(index);
    if (in_map) destination[(plane * p.map_height + map_y) * p.map_width + map_x] = value;
#else
    const uint channel = plane - image * p.channels;
    const uint block = quotient(remainder(image, p.images) * p.channels + channel, p.together);
    const uint at = (block * p.map_height * p.map_width + map_y * p.map_width + map_x) * p.together +
                    remainder(channel, p.together);
    const uint from = in_map ? at : 0;
#ifdef SWITCHES
    const uint first = uint(y) * p.step_y * p.other_width + uint(x) * p.step_x;
    const uint map_place = SOURCE(from);
    const int place_y = int(quotient(map_place, p.other_map_width));
    const int place_x = int(map_place) - place_y * int(p.other_map_width);
    const int crop_y = place_y - position_y * p.other_stride_y - p.other_first_y;
    const int crop_x = place_x - position_x * p.other_stride_x - p.other_first_x;
    destination[index] = in_map ? uint(crop_y) * p.other_width + uint(crop_x) : first;
#else
#ifdef HALVES
    const vec2 two = unpackHalf2x16(SOURCE(from / 2));
    const float value = from % 2 == 0 ? two.x : two.y;
#else
    const float value = SOURCE(from);
#endif
    destination[index] = in_map ? value : 1.0;
#endif
#endif
#endif
}
