#version 450
// From a reconstruction's values to a picture (8-bit RGBA): how zero, sign and size show.  One invocation computes four
// pixels of one copy, a workgroup apart; z is the copy.
//
// variant: buffer
// variant: texels -DTEXELS
#include "common.glsl"
#include "image/scale.glsl"

layout(local_size_x_id = 0) in;

#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer values;
#define VALUE(i) texelFetch(values, int(i)).x
#else
layout(binding = 0) readonly buffer Values { float values[]; };
#define VALUE(i) values[i]
#endif
layout(binding = 1) readonly buffer States { State states[]; };
layout(binding = 2) readonly buffer Viewing {
    float seconds;
    float gain, gamma;
} viewing;
layout(binding = 3) writeonly buffer PictureBuffer { uint picture[]; };

layout(push_constant) uniform Push {
    uint pixels;
    uint mode;  // 0 signed, 1 positive, 2 norm, 3 range
} p;

const uint SIGNED = 0, POSITIVE = 1, NORM = 2, RANGE = 3;

// What all pixels share.
struct View {
    float low, high, scale;
    float gain, gamma;
};

// The viewer's own gain and gamma, on the size of what is shown.
float viewed(View view, float size) {
    const float gained = min(size * view.gain, 1.0);
    return view.gamma == 1.0 ? gained : pow(gained, 1.0 / view.gamma);
}

float shown(View view, float value) {
    if (p.mode == RANGE) {
        const float range = view.high - view.low;
        return range > 0.0 ? viewed(view, (value - view.low) / range) : 0.5;
    }
    if (view.scale == 0.0) return p.mode == SIGNED ? 0.5 : 0.0;
    const float size = viewed(view, abs(value) / view.scale);
    if (p.mode == SIGNED) return 0.5 + 0.5 * (value < 0.0 ? -size : size);
    return value > 0.0 ? size : 0.0;
}

void main() {
    const uint copy = gl_WorkGroupID.z;
    View view;
    view.low = unordered(states[copy].low);
    view.high = unordered(states[copy].high);
    view.scale = states[copy].scale;
    view.gain = viewing.gain;
    view.gamma = viewing.gamma;
    uint pixel = linear_group() * workgroup * 4 + gl_LocalInvocationID.x;
    for (int i = 0; i < 4; ++i, pixel += workgroup) {
        if (pixel >= p.pixels) return;
        vec3 colour;
        if (p.mode == NORM) {
            colour = vec3(shown(view, VALUE(copy * p.pixels + pixel)));
        } else {
            for (uint c = 0; c < 3; ++c) colour[c] = shown(view, VALUE((copy * 3 + c) * p.pixels + pixel));
        }
        picture[copy * p.pixels + pixel] = packUnorm4x8(vec4(clamp(colour, 0.0, 1.0), 1.0));
    }
}
