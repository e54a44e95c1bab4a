#version 450
// The signal a projection starts with: the chosen values of a tensor, or ones in their places, zero elsewhere.  One
// invocation computes one element of one copy.
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) readonly buffer Peaks { uvec2 peaks[]; };
layout(binding = 2) readonly buffer Selections { ivec4 selections[]; };
layout(binding = 3) writeonly buffer SignalBuffer { float signal[]; };

layout(push_constant) uniform Push {
    uint items;       // of this run
    uint first_copy;  // of this run
    uint channels, plane, images;
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    const uint planes = quotient(index, p.plane);
    const uint place = index - planes * p.plane;
    const uint all_images = quotient(planes, p.channels);
    const uint channel = planes - all_images * p.channels;
    const uint run_copy = quotient(all_images, p.images);
    const uint image = all_images - run_copy * p.images;
    const uint copy = p.first_copy + run_copy;
    const ivec4 selection = selections[2 * (copy * p.images + image)];
    bool chosen = selection.x == -2 || uint(selection.x) == channel;
    // With every channel chosen, `max` means each channel's own largest value.
    if (selection.y == 1) chosen = chosen && place == peaks[image * p.channels + channel].y;
    if (selection.y == 2) chosen = chosen && place == uint(selection.z);
    const float value = selection.w == 1 ? 1.0 : source[(image * p.channels + channel) * p.plane + place];
    signal[index] = chosen ? value : 0.0;
}
