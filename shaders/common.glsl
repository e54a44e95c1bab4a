// Helpers shared by all compute shaders.
#ifndef DECONV_COMMON
#define DECONV_COMMON
#extension GL_GOOGLE_include_directive : enable
#extension GL_EXT_control_flow_attributes : enable

// Invocations of a workgroup, where a shader leaves them to specialisation (local_size_x_id = 0).  Not
// gl_WorkGroupSize: the optimiser takes that for its default.
layout(constant_id = 0) const uint workgroup = 1;

// Workgroups in a full row of a grid made by linear_groups().  Not gl_NumWorkGroups.x: a grid may run in parts.
const uint groups_a_row = 32768;

uint linear_group() { return gl_WorkGroupID.y * groups_a_row + gl_WorkGroupID.x; }

// The invocation's index in a grid made by linear_groups(): x first, then y.
uint linear_index() { return linear_group() * workgroup + gl_LocalInvocationID.x; }

// i / by, for i below 2^31: a CPU's driver divides integers one lane at a time, and floats all at once.  The first
// quotient errs by up to 2^-22 of itself, the second, of what is left, by one at most.
uint quotient(uint i, uint by) {
    uint q = uint(float(i) / float(by));
    q = uint(int(q) + int(floor(float(int(i - q * by)) / float(by))));
    const int rest = int(i - q * by);
    if (rest < 0) --q;
    if (rest >= int(by)) ++q;
    return q;
}
uint remainder(uint i, uint by) { return i - quotient(i, by) * by; }

// Which of `count` channels a signal has, whose only channel is `chosen` (−2: it has all) where the first of them is
// called `first`: the first, and how many.
uvec2 chosen_channels(int chosen, int first, uint count) {
    if (chosen < 0) return uvec2(0, count);
    const int local = chosen - first;
    return local >= 0 && local < int(count) ? uvec2(local, 1) : uvec2(0);
}

float rectified_if(bool relu, float value) { return relu && value < 0.0 ? 0.0 : value; }  // a NaN stays
vec4 rectified_if(bool relu, vec4 value) {
    [[unroll]] for (uint j = 0; j < 4; ++j) value[j] = rectified_if(relu, value[j]);
    return value;
}

// Four values as halves.  Those beyond the largest become it, for an infinite one would make others NaN; a NaN stays.
uvec2 pack_halves(vec4 four) {
    [[unroll]] for (uint i = 0; i < 4; ++i)
        four[i] = four[i] > 65504.0 ? 65504.0 : (four[i] < -65504.0 ? -65504.0 : four[i]);
    return uvec2(packHalf2x16(four.xy), packHalf2x16(four.zw));
}
vec4 unpack_halves(uvec2 four) { return vec4(unpackHalf2x16(four.x), unpackHalf2x16(four.y)); }
#endif
