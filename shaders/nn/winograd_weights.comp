#version 450
// Winograd's filter transform: U = G g Gᵀ of every 3×3 kernel g, (TILE + 2)² points a kernel.  One invocation
// transforms one kernel.
//
// variant: 2 -DTILE=2
// variant: 4 -DTILE=4
#include "common.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool mirrored = false;  // the kernel turned by half a turn

layout(binding = 0) readonly buffer Plain { float plain[]; };
layout(binding = 1) writeonly buffer Points { float points[]; };

layout(push_constant) uniform Push { uint kernels; } p;

const uint POINTS = TILE + 2;

// G g
void to_points(in float g[3], out float u[POINTS]) {
#if TILE == 2
    u[0] = g[0];
    u[1] = 0.5 * (g[0] + g[1] + g[2]);
    u[2] = 0.5 * (g[0] - g[1] + g[2]);
    u[3] = g[2];
#else
    u[0] = 0.25 * g[0];
    u[1] = -(g[0] + g[1] + g[2]) / 6.0;
    u[2] = -(g[0] - g[1] + g[2]) / 6.0;
    u[3] = g[0] / 24.0 + g[1] / 12.0 + g[2] / 6.0;
    u[4] = g[0] / 24.0 - g[1] / 12.0 + g[2] / 6.0;
    u[5] = g[2];
#endif
}

void main() {
    const uint kernel = linear_index();
    if (kernel >= p.kernels) return;
    float half_way[POINTS][3];
    [[unroll]] for (uint c = 0; c < 3; ++c) {
        float column[3];
        [[unroll]] for (uint r = 0; r < 3; ++r) {
            const uint tap = r * 3 + c;
            column[r] = plain[kernel * 9 + (mirrored ? 8 - tap : tap)];
        }
        float u[POINTS];
        to_points(column, u);
        [[unroll]] for (uint r = 0; r < POINTS; ++r) half_way[r][c] = u[r];
    }
    [[unroll]] for (uint r = 0; r < POINTS; ++r) {
        float u[POINTS];
        to_points(half_way[r], u);
        [[unroll]] for (uint c = 0; c < POINTS; ++c) points[(kernel * POINTS + r) * POINTS + c] = u[c];
    }
}
