#version 450
// Between the histograms: begins a search, finds the bin that holds the percentile, and in the end sets the scale.  One
// workgroup of 64 handles one copy; it leaves the histogram cleared for the next round.
#include "common.glsl"
#include "image/scale.glsl"

layout(local_size_x = 64) in;

layout(binding = 0) readonly buffer Selections { ivec4 selections[]; };
layout(binding = 1) buffer States { State states[]; };
layout(binding = 2) buffer Histogram { uint histogram[]; };
layout(binding = 3) readonly buffer Viewing {
    float seconds;  // since the frame before; 0: a still picture, the scale is this frame's own; negative: likewise,
                    // and the frames after it know nothing of it
    float gain, gamma;
    float alone;    // where above 0: copies from this one on have scales of their own in every frame
} viewing;

layout(push_constant) uniform Push {
    FieldBox field;
    uint colours;
    uint round;  // 0 begins, 1 … 3 follow the histograms
} p;

shared uint sums[64];

void main() {
    const uint copy = gl_WorkGroupID.x;
    const uint lane = gl_LocalInvocationID.x;
    const uint base = copy * BINS;
    const uint run = BINS / 64;
    uint sum = 0;
    if (p.round > 0) {
        for (uint i = 0; i < run; ++i) sum += histogram[base + lane * run + i];
    }
    sums[lane] = sum;
    barrier();
    if (lane == 0) {
        if (p.round == 0) {
            const ivec4 box = box_of(p.field, selections[2 * copy]);
            const uint count = uint((box.z - box.x) * (box.w - box.y)) * p.colours;
            states[copy].prefix = 0;
            states[copy].rank = count - count / 200;  // nearest rank: ⌈0.995 · count⌉
            states[copy].largest = 0;
            states[copy].low = 0xffffffffu;
            states[copy].high = 0;
        } else {
            uint rank = states[copy].rank;
            uint part = 0;
            while (part < 63 && rank > sums[part]) rank -= sums[part++];
            uint bin = part * run;
            while (bin < part * run + run - 1 && rank > histogram[base + bin]) rank -= histogram[base + bin++];
            states[copy].rank = rank;
            const uint prefix = p.round == 1 ? bin : states[copy].prefix << 10 | bin;
            states[copy].prefix = prefix;
            if (p.round == 3) {
                const bool alone = viewing.seconds < 0.0 || (viewing.alone > 0.0 && float(copy) >= viewing.alone);
                states[copy] = settled(states[copy], uintBitsToFloat(prefix), viewing.seconds, alone);
            }
        }
    }
    barrier();
    for (uint i = 0; i < run; ++i) histogram[base + lane * run + i] = 0;
}
