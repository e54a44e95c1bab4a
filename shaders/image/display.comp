#version 450
// From a reconstruction's values to a picture (8-bit RGBA): how zero, sign and size show.  One invocation computes one
// pixel of one copy; z is the copy.
#include "common.glsl"
#include "image/scale.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Values { float values[]; };
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

// The viewer's own gain and gamma, on the size of what is shown.
float viewed(float size) {
    const float gained = min(size * viewing.gain, 1.0);
    return viewing.gamma == 1.0 ? gained : pow(gained, 1.0 / viewing.gamma);
}

float shown(float value, State state) {
    if (p.mode == RANGE) {
        const float low = unordered(state.low);
        const float high = unordered(state.high);
        return high > low ? viewed((value - low) / (high - low)) : 0.5;
    }
    if (state.scale == 0.0) return p.mode == SIGNED ? 0.5 : 0.0;
    const float size = viewed(abs(value) / state.scale);
    if (p.mode == SIGNED) return 0.5 + 0.5 * (value < 0.0 ? -size : size);
    return value > 0.0 ? size : 0.0;
}

void main() {
    const uint pixel = linear_index();
    if (pixel >= p.pixels) return;
    const uint copy = gl_WorkGroupID.z;
    const State state = states[copy];
    vec3 colour;
    if (p.mode == NORM) {
        colour = vec3(shown(values[copy * p.pixels + pixel], state));
    } else {
        for (uint c = 0; c < 3; ++c) colour[c] = shown(values[(copy * 3 + c) * p.pixels + pixel], state);
    }
    picture[copy * p.pixels + pixel] = packUnorm4x8(vec4(clamp(colour, 0.0, 1.0), 1.0));
}
