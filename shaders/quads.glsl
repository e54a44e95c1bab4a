// Four components of a place, as a buffer holds them.  WIDE: in two words of 64 bits, for a CPU's driver writes each
// word of each invocation by itself, and so takes half the time; see "[wide]" in cmake/Shaders.cmake.
#ifndef DECONV_QUADS
#define DECONV_QUADS
#ifdef WIDE
#extension GL_ARB_gpu_shader_int64 : require
#define Quad u64vec2
#define QuadBits u64vec2
QuadBits to_quad(uvec4 four) { return QuadBits(packUint2x32(four.xy), packUint2x32(four.zw)); }
Quad to_quad(vec4 four) { return to_quad(floatBitsToUint(four)); }
uvec4 bits_from_quad(QuadBits quad) { return uvec4(unpackUint2x32(quad.x), unpackUint2x32(quad.y)); }
vec4 from_quad(Quad quad) { return uintBitsToFloat(bits_from_quad(quad)); }
#else
#define Quad vec4
#define QuadBits uvec4
QuadBits to_quad(uvec4 four) { return four; }
Quad to_quad(vec4 four) { return four; }
uvec4 bits_from_quad(QuadBits quad) { return quad; }
vec4 from_quad(Quad quad) { return quad; }
#endif
#endif
