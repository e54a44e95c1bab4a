#version 450
// The signal a projection starts with: the chosen values of a tensor, or ones in their places, zero elsewhere.  One
// invocation computes one element; or (CHOSEN), where the signal is zero before, one place of the chosen channel (or of
// all of them) of one image and copy: filling memory costs a CPU's driver less.  SINGLE: of selections of a single
// position, the start is that position alone, one channel after the other; one invocation computes one channel.
//
// variant: all
// variant: chosen -DCHOSEN
// variant: single -DSINGLE
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) readonly buffer Peaks { uvec2 peaks[]; };
layout(binding = 2) readonly buffer Selections { ivec4 selections[]; };
layout(binding = 3) writeonly buffer SignalBuffer { float signal[]; };

layout(push_constant) uniform Push {
    uint items;       // elements of all images and copies of this run, or places
    uint first_copy;  // of this run
    uint channels, plane, images;
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
#ifdef SINGLE
    const uint run_image = quotient(index, p.channels);
    const uint channel = index - run_image * p.channels;
    const ivec4 selection = selections[2 * run_image];
    const uint at = (remainder(run_image, p.images) * p.channels + channel) * p.plane;
    const bool here = uint(selection.z) < p.plane;  // a pin may be of another layer
    const bool chosen = here && (selection.x == -2 || channel == uint(selection.x));
    const float value = selection.w == 1 ? 1.0 : source[at + (here ? selection.z : 0)];
    signal[index] = chosen ? value : 0.0;
#else
    const uint row = quotient(index, p.plane);
    const uint place = index - row * p.plane;
#ifdef CHOSEN
    const uint run_image = row;
#else
    const uint run_image = quotient(row, p.channels);
#endif
    const uint run_copy = quotient(run_image, p.images);
    const uint image = run_image - run_copy * p.images;
    const ivec4 selection = selections[2 * (p.first_copy * p.images + run_image)];
    const bool all = selection.x == -2;
    const bool here = selection.y != 2 || place == uint(selection.z);
#ifdef CHOSEN
    if (!here) return;
    const uint begin = all ? 0 : uint(selection.x);
    const uint end = all ? p.channels : begin + 1;
    for (uint channel = begin; channel < end; ++channel) {
        // With every channel chosen, `max` means each channel's own largest value.
        const bool chosen = selection.y != 1 || place == peaks[image * p.channels + channel].y;
        const float value = selection.w == 1 ? 1.0 : source[(image * p.channels + channel) * p.plane + place];
        if (chosen) signal[(run_image * p.channels + channel) * p.plane + place] = value;
    }
#else
    const uint channel = row - run_image * p.channels;
    const bool chosen = here && (all || channel == uint(selection.x)) &&
                        (selection.y != 1 || place == peaks[image * p.channels + channel].y);
    const float value = selection.w == 1 ? 1.0 : source[(image * p.channels + channel) * p.plane + place];
    signal[index] = chosen ? value : 0.0;
#endif
#endif
}
