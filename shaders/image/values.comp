#version 450
// What a display maps: R₀ (1, C, H, W) in the network's input space, times a factor by channel, in RGB order; or its
// length over colours.  One invocation handles one pixel of one copy; z is the copy.
//
// variant: buffer
// variant: texels -DTEXELS
#include "common.glsl"

layout(local_size_x_id = 0) in;

#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer signal;
#define SIGNAL(i) texelFetch(signal, int(i)).x
#else
layout(binding = 0) readonly buffer SignalBuffer { float signal[]; };
#define SIGNAL(i) signal[i]
#endif
layout(binding = 1) writeonly buffer Values { float values[]; };

layout(push_constant) uniform Push {
    uint pixels;
    uint channels, bgr;
    uint use_length;
    float factor[3];  // by the input's own channels
} p;

void main() {
    const uint pixel = linear_index();
    if (pixel >= p.pixels) return;
    const uint copy = gl_WorkGroupID.z;
    const uint base = copy * p.channels * p.pixels + pixel;
    vec3 colour;
    if (p.channels == 1) {
        colour = vec3(SIGNAL(base) * p.factor[0]);
    } else {
        colour = vec3(SIGNAL(base) * p.factor[0], SIGNAL(base + p.pixels) * p.factor[1],
                      SIGNAL(base + 2 * p.pixels) * p.factor[2]);
        if (p.bgr != 0) colour = colour.bgr;
    }
    if (p.use_length != 0) {
        values[copy * p.pixels + pixel] = p.channels == 1 ? abs(colour.r) : length(colour);
    } else {
        for (uint c = 0; c < 3; ++c) values[(copy * 3 + c) * p.pixels + pixel] = colour[c];
    }
}
