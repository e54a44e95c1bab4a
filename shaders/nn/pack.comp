#version 450
// (N, C, H, W) to groups of four channels with a border: [image][group][channel / 4][row][column][4], zeros where there
// is no channel or no pixel.  What a convolution reads in this form, it reads four channels at a time and without asking
// whether a tap lies inside.
//
// One invocation writes one texel: four channels of one place.  The workgroup's y is the block of four channels, counted
// over groups, its z the image.
//
// variant: texels -DTEXELS [wide]
// variant: buffer
#include "common.glsl"
#include "quads.glsl"

layout(local_size_x_id = 0) in;
// A rectifier on the way: 0 none; else R crosses it by rule: 1 deconv, 2 guided, 3 gradient (see unary.comp).
layout(constant_id = 1) const uint rectifier = 0;
const uint DECONV = 1, GRADIENT = 3;

#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer source;
layout(binding = 2) uniform samplerBuffer forward;  // positive where the rectified unit was on
#define SOURCE(i) texelFetch(source, int(i)).x
#define FORWARD(i) texelFetch(forward, int(i)).x
#else
layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 2) readonly buffer Forward { float forward[]; };
#define SOURCE(i) source[i]
#define FORWARD(i) forward[i]
#endif
layout(binding = 1) writeonly buffer Destination { Quad destination[]; };

layout(push_constant) uniform Push {
    uint channels, blocks;  // of one group; blocks of four
    uint groups;
    uint height, width;
    uint places, row;       // of the packed plane
    int first_y, first_x;   // the source place that lies at the packed plane's beginning
    uint forward_first, forward_items;  // the source's first element in the whole signal; the period of `forward`
} p;

void main() {
    const uint at = gl_WorkGroupID.x * workgroup + gl_LocalInvocationID.x;
    if (at >= p.places) return;
    const uint group = gl_WorkGroupID.y / p.blocks;
    const uint block = gl_WorkGroupID.y % p.blocks;
    const uint packed_y = quotient(at, p.row);
    const int y = int(packed_y) + p.first_y;
    const int x = int(at - packed_y * p.row) + p.first_x;
    const bool inside = y >= 0 && x >= 0 && y < int(p.height) && x < int(p.width);
    const uint plane = p.height * p.width;
    const uint base = ((gl_WorkGroupID.z * p.groups + group) * p.channels + block * 4) * plane;
    const uint from = base + (inside ? uint(y) * p.width + uint(x) : 0);
    vec4 value = vec4(0.0);
    [[unroll]] for (uint j = 0; j < 4; ++j) {
        const bool there = inside && block * 4 + j < p.channels;
        const uint at_j = there ? from + j * plane : base;
        float v = SOURCE(at_j);
        if (rectifier != 0 && rectifier != GRADIENT) v = max(v, 0.0);
        bool on = there;
        if (rectifier > DECONV) on = on && FORWARD(remainder(p.forward_first + at_j, p.forward_items)) > 0.0;
        value[j] = on ? v : 0.0;
    }
    destination[(gl_WorkGroupID.z * p.groups * p.blocks + gl_WorkGroupID.y) * p.places + at] = to_quad(value);
}
