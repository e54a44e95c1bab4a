#version 450
// Draws a part of a picture into a box of a larger one, resampled.  One invocation computes one pixel of the box.
//
// variant: buffer
// variant: texels -DTEXELS
#include "common.glsl"
#include "image/resample.glsl"

layout(local_size_x_id = 0) in;

#ifdef TEXELS
layout(binding = 0) uniform usamplerBuffer source;
#define SOURCE(i) texelFetch(source, i).x
#else
layout(binding = 0) readonly buffer Source { uint source[]; };
#define SOURCE(i) source[i]
#endif
layout(binding = 1) writeonly buffer Canvas { uint canvas[]; };

layout(push_constant) uniform Push {
    int width, height;          // of the source
    int canvas_width;
    int left, top, box_width, box_height;
    int place_left, place_top, place_width, place_height;  // of the picture in the box; around it lies the background
    uint background;
} p;

void main() {
    const uint index = linear_index();
    if (index >= uint(p.box_width * p.box_height)) return;
    const int v = int(quotient(index, uint(p.box_width)));
    const int u = int(index) - v * p.box_width;
    const int to = (p.top + v) * p.canvas_width + p.left + u;
    const int i = u - p.place_left;
    const int j = v - p.place_top;
    if (i < 0 || j < 0 || i >= p.place_width || j >= p.place_height) {
        canvas[to] = p.background;
        return;
    }
    const Taps columns = taps_along(p.width, 0.0, float(p.width), p.place_width, i);
    const Taps rows = taps_along(p.height, 0.0, float(p.height), p.place_height, j);
    vec4 sum = vec4(0.0);
    for (int y = rows.first; y <= rows.last; ++y) {
        vec4 row = vec4(0.0);
        for (int x = columns.first; x <= columns.last; ++x) {
            row += tap_weight(columns, x) * unpackUnorm4x8(SOURCE(y * p.width + x));
        }
        sum += tap_weight(rows, y) * row;
    }
    canvas[to] = packUnorm4x8(clamp(sum, 0.0, 1.0));
}
