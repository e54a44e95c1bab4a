#version 450
// Resolves what was asked for into what is projected: for `strongest` the channel with the largest peak (ties go to the
// lower one).  One workgroup of 64 handles one request for one image.
//
//   request:   (channel or −1 strongest or −2 all, where: 0 all 1 max 2 pinned, place, start: 0 value 1 one)
//   selection: (channel or −2, where, place of the peak or pin, start; peak's bits, 0, 0, 0)
#include "common.glsl"

layout(local_size_x = 64) in;

layout(binding = 0) readonly buffer Peaks { uvec2 peaks[]; };
layout(binding = 1) readonly buffer Requests { ivec4 requests[]; };
layout(binding = 2) writeonly buffer Selections { ivec4 selections[]; };

layout(push_constant) uniform Push {
    uint channels, images;
} p;

shared float values[64];
shared uint found[64];

void main() {
    const uint index = gl_WorkGroupID.x;  // copy · images + image
    const uint lane = gl_LocalInvocationID.x;
    const ivec4 request = requests[index / p.images];
    const uint base = index % p.images * p.channels;
    float best = uintBitsToFloat(0xff800000u);
    uint channel = 0xffffffffu;
    for (uint c = lane; c < p.channels; c += 64) {
        const float value = uintBitsToFloat(peaks[base + c].x);
        if (value > best || channel == 0xffffffffu) {
            best = value;
            channel = c;
        }
    }
    values[lane] = best;
    found[lane] = channel;
    barrier();
    for (uint half_size = 32; half_size > 0; half_size /= 2) {
        if (lane < half_size) {
            const float other = values[lane + half_size];
            const uint there = found[lane + half_size];
            if (there != 0xffffffffu &&
                (found[lane] == 0xffffffffu || other > values[lane] || (other == values[lane] && there < found[lane]))) {
                values[lane] = other;
                found[lane] = there;
            }
        }
        barrier();
    }
    if (lane == 0) {
        const int chosen = request.x == -1 ? int(found[0]) : request.x;
        const uvec2 peak = peaks[base + uint(chosen >= 0 ? chosen : int(found[0]))];
        const int place = request.y == 2 ? request.z : int(peak.y);
        selections[2 * index] = ivec4(chosen, request.y, place, request.w);
        selections[2 * index + 1] = ivec4(int(peak.x), int(found[0]), 0, 0);
    }
}
