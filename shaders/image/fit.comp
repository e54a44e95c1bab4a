#version 450
// A picture becomes the network's input: resampled into its place there, normalised by channel; what lies outside the
// place (letterbox) is the mean colour, which is zero.  One invocation computes one pixel of the input, (1, C, H, W)
// with C 3, or 1 for networks that see grey.
//
// variant: buffer
// variant: texels -DTEXELS
#include "common.glsl"
#include "image/resample.glsl"

layout(local_size_x_id = 0) in;

// RGBA, red in the lowest byte.
#ifdef TEXELS
layout(binding = 0) uniform usamplerBuffer picture;
#define PICTURE(i) texelFetch(picture, i).x
#else
layout(binding = 0) readonly buffer PictureBuffer { uint picture[]; };
#define PICTURE(i) picture[i]
#endif
layout(binding = 1) writeonly buffer Destination { float destination[]; };

layout(push_constant) uniform Push {
    int width, height;           // of the picture
    float x, y, w, h;            // the part of it that is taken
    int input_width, input_height;
    int left, top, place_width, place_height;  // where that part goes
    uint channels, bgr;
    float scale[3], shift[3];    // by the input's own channels: value = byte · scale + shift
} p;

void main() {
    const uint index = linear_index();
    const uint pixels = uint(p.input_width * p.input_height);
    if (index >= pixels) return;
    const uint line = quotient(index, uint(p.input_width));
    const int u = int(index) - int(line) * p.input_width - p.left;
    const int v = int(line) - p.top;
    if (u < 0 || v < 0 || u >= p.place_width || v >= p.place_height) {
        for (uint c = 0; c < p.channels; ++c) destination[c * pixels + index] = 0.0;
        return;
    }
    const Taps columns = taps_along(p.width, p.x, p.w, p.place_width, u);
    const Taps rows = taps_along(p.height, p.y, p.h, p.place_height, v);
    vec3 sum = vec3(0.0);
    for (int j = rows.first; j <= rows.last; ++j) {
        vec3 row = vec3(0.0);
        for (int i = columns.first; i <= columns.last; ++i) {
            row += tap_weight(columns, i) * unpackUnorm4x8(PICTURE(j * p.width + i)).rgb;
        }
        sum += tap_weight(rows, j) * row;
    }
    sum *= 255.0;
    if (p.channels == 1) {
        // Luma as ITU-R BT.601 weighs it.
        destination[index] = dot(sum, vec3(0.299, 0.587, 0.114)) * p.scale[0] + p.shift[0];
        return;
    }
    if (p.bgr != 0) sum = sum.bgr;
    for (uint c = 0; c < 3; ++c) destination[c * pixels + index] = sum[c] * p.scale[c] + p.shift[c];
}
