#version 450
// Copies a box of up to four dimensions between two tensors by steps: transposition, slices, concatenation, splitting,
// and plain copies.  Several copies of the box may follow one another.  One invocation copies one element.
#include "common.glsl"

layout(local_size_x_id = 0) in;

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) buffer Destination { float destination[]; };

layout(push_constant) uniform Push {
    uint items;  // over all copies
    uint size[4];
    int step_source[4], step_destination[4];
    int first_source, first_destination;
    int copy_source, copy_destination;  // elements from one copy to the next
    uint accumulate;
} p;

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    uint rest = index;
    int from = p.first_source;
    int to = p.first_destination;
    [[unroll]] for (int d = 3; d >= 0; --d) {
        const int i = int(rest % p.size[d]);
        rest /= p.size[d];
        from += i * p.step_source[d];
        to += i * p.step_destination[d];
    }
    from += int(rest) * p.copy_source;
    to += int(rest) * p.copy_destination;
    float value = source[from];
    if (p.accumulate != 0) value += destination[to];
    destination[to] = value;
}
