#version 450
// A rectangle from two corners in clip space; no vertex buffer.
layout(push_constant) uniform Push {
    vec4 corners;  // left, top, right, bottom in clip space
    vec4 part;     // of the picture: left, top, right, bottom in 0 … 1
    vec4 options;  // opacity, blend mode, brightness of zero, 0
} p;
layout(location = 0) out vec2 place;

void main() {
    const vec2 corner = vec2(gl_VertexIndex & 1, gl_VertexIndex >> 1);
    place = mix(p.part.xy, p.part.zw, corner);
    gl_Position = vec4(mix(p.corners.xy, p.corners.zw, corner), 0.0, 1.0);
}
