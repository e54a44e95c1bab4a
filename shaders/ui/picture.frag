#version 450
// A picture; with an opacity below one it is laid over what is there.
layout(push_constant) uniform Push {
    vec4 corners;
    vec4 part;
    vec4 options;  // opacity, blend mode, brightness of zero
} p;
layout(set = 0, binding = 0) uniform sampler2D picture;
layout(location = 0) in vec2 place;
layout(location = 0) out vec4 colour;

void main() {
    const vec3 value = texture(picture, place).rgb;
    // Zero is grey in a signed projection, black in one of magnitudes, which are twice as far from it.
    const float gain = p.options.z > 0.0 ? 4.0 : 2.0;
    const float signal = clamp(gain * length(value - vec3(p.options.z)), 0.0, 1.0);
    colour = vec4(value, p.options.x);
    // Only what was reconstructed covers the camera; or everything else lies in the dark.
    if (p.options.y == 1.0) colour.a *= signal;
    if (p.options.y == 2.0) colour = vec4(vec3(0.0), p.options.x * (1.0 - signal));
}
