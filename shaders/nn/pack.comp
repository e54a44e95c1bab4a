#version 450
// (N, C, H, W) to groups of four channels with a border: [image][group][channel / 4][row][column][4], zeros where there
// is no channel or no pixel.  What a convolution reads in this form, it reads four channels at a time and without asking
// whether a tap lies inside.
//
// One invocation writes one texel: four channels of one place.  The workgroup's y is the block of four channels, counted
// over groups, its z the image.
//
// variant: texels -DTEXELS
// variant: buffer
#include "common.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool rectified = false;  // max(x, 0) on the way

#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer source;
#define SOURCE(i) texelFetch(source, int(i)).x
#else
layout(binding = 0) readonly buffer Source { float source[]; };
#define SOURCE(i) source[i]
#endif
layout(binding = 1) writeonly buffer Destination { vec4 destination[]; };

layout(push_constant) uniform Push {
    uint channels, blocks;  // of one group; blocks of four
    uint groups;
    uint height, width;
    uint places, row;       // of the packed plane
    int first_y, first_x;   // the source place that lies at the packed plane's beginning
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
        const float v = SOURCE(there ? from + j * plane : base);
        value[j] = there ? (rectified ? max(v, 0.0) : v) : 0.0;
    }
    destination[(gl_WorkGroupID.z * p.groups * p.blocks + gl_WorkGroupID.y) * p.places + at] = value;
}
