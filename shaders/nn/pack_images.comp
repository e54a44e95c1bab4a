#version 450
// Four images to a texel, for the gradient of a convolution's weights: what is summed there over places and images,
// conv_packed.comp sums over taps and "channels".
//
// PLANES: (N, C, H, W) to [channel][image / 4][row][column][4] with a border of zeros, as the convolution's input.
// Else:   (N, C, H, W) to [chunk][block][row][column][quad][BLOCK][4], as its output's signal: a chunk is `quads`
//         texels of four images, a block BLOCK channels.
//
// One invocation writes one texel.
//
// variant: planes -DPLANES [wide]
// variant: blocks [wide]
#include "common.glsl"
#include "quads.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) uniform samplerBuffer source;
layout(binding = 1) writeonly buffer Destination { Quad destination[]; };

layout(push_constant) uniform Push {
    uint items;
    uint images, channels, height, width;
    uint quads;                  // PLANES: of all images; else of a chunk
    uint row, places;            // PLANES: of the packed plane
    int first_y, first_x;        // PLANES: the source place at its beginning
    uint block, blocks;          // else: channels of a block, blocks
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    const uint plane = p.height * p.width;
#ifdef PLANES
    const uint set = quotient(index, p.places);
    const uint place = index - set * p.places;
    const uint channel = quotient(set, p.quads);
    const uint quad = set - channel * p.quads;
    const uint packed_y = quotient(place, p.row);
    const int y = int(packed_y) + p.first_y;
    const int x = int(place - packed_y * p.row) + p.first_x;
    const bool inside = y >= 0 && x >= 0 && y < int(p.height) && x < int(p.width);
    const uint at = inside ? uint(y) * p.width + uint(x) : 0;
#else
    const uint rest = quotient(index, p.block);
    const uint row_of_quads = quotient(rest, p.quads);
    const uint set = quotient(row_of_quads, plane);
    const uint at = row_of_quads - set * plane;
    const uint chunk = quotient(set, p.blocks);
    const uint channel = (set - chunk * p.blocks) * p.block + (index - rest * p.block);
    const uint quad = chunk * p.quads + (rest - row_of_quads * p.quads);
    const bool inside = channel < p.channels;
#endif
    vec4 value = vec4(0.0);
    [[unroll]] for (uint j = 0; j < 4; ++j) {
        const uint image = quad * 4 + j;
        const bool there = inside && image < p.images;
        const float v = texelFetch(source, int(there ? (image * p.channels + channel) * plane + at : 0)).x;
        value[j] = there ? v : 0.0;
    }
    destination[index] = to_quad(value);
}
