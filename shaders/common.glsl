// Helpers shared by all compute shaders.
#ifndef DECONV_COMMON
#define DECONV_COMMON
#extension GL_GOOGLE_include_directive : enable
#extension GL_EXT_control_flow_attributes : enable

// Invocations of a workgroup, where a shader leaves them to specialisation (local_size_x_id = 0).  Not
// gl_WorkGroupSize: the optimiser takes that for its default.
layout(constant_id = 0) const uint workgroup = 1;

// The invocation's index in a grid made by linear_groups(): x first, then y.
uint linear_index() {
    return (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * workgroup + gl_LocalInvocationID.x;
}
#endif
