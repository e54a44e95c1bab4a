#version 450
// Pad (constant, reflect, edge) in up to four dimensions, and its reverse: what was copied comes back to where it came
// from and adds up.  Negative pads crop.  One invocation computes one element.
//
// variant: forward -DFORWARD
// variant: reverse -DREVERSE
#include "common.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint mode = 0;
const uint CONSTANT = 0, REFLECT = 1, EDGE = 2;

layout(binding = 0) readonly buffer Source { float source[]; };
layout(binding = 1) buffer Destination { float destination[]; };

layout(push_constant) uniform Push {
    uint items;
    int size[4];         // of the tensor that is padded
    int padded_size[4];
    int begin[4];
    float value;
    uint accumulate;
} p;

#ifdef FORWARD
void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    int rest = int(index);
    int at = 0;
    int step = 1;
    bool inside = true;
    [[unroll]] for (int d = 3; d >= 0; --d) {
        int i = rest % p.padded_size[d] - p.begin[d];
        rest /= p.padded_size[d];
        const int last = p.size[d] - 1;
        if (mode == REFLECT) {
            i = abs(i);
            i = i > last ? 2 * last - i : i;
        }
        if (mode == EDGE) i = clamp(i, 0, last);
        inside = inside && i >= 0 && i <= last;
        at += i * step;
        step *= p.size[d];
    }
    destination[index] = inside ? source[at] : p.value;
}
#else
// The padded places that hold a copy of place i along dimension d: how many, and the k-th, −1 where it was cropped.
int copies(int d, int i) {
    const int last = p.size[d] - 1;
    const int end = p.padded_size[d] - p.size[d] - p.begin[d];
    if (mode == REFLECT) {
        return 1 + int(i >= 1 && i <= p.begin[d]) + int(i <= last - 1 && i >= last - end);
    }
    if (mode == EDGE) return 1 + (i == 0 ? max(p.begin[d], 0) : 0) + (i == last ? max(end, 0) : 0);
    return 1;
}
int copy_at(int d, int i, int k) {
    const int last = p.size[d] - 1;
    const int begin = p.begin[d];
    int at = begin + i;
    if (k > 0) {
        if (mode == REFLECT) {
            const bool before = i >= 1 && i <= begin;
            at = before && k == 1 ? begin - i : begin + 2 * last - i;
        } else {
            const int before = i == 0 ? max(begin, 0) : 0;
            at = k <= before ? begin - k : begin + last + (k - before);
        }
    }
    return at >= 0 && at < p.padded_size[d] ? at : -1;
}

void main() {
    const uint index = linear_index();
    if (index >= p.items) return;
    int rest = int(index);
    int place[4];
    [[unroll]] for (int d = 3; d >= 0; --d) {
        place[d] = rest % p.size[d];
        rest /= p.size[d];
    }
    // What remains is the copy of the whole tensor.
    float sum = 0.0;
    for (int a = 0; a < copies(0, place[0]); ++a) {
        const int i = copy_at(0, place[0], a);
        for (int b = 0; b < copies(1, place[1]); ++b) {
            const int j = copy_at(1, place[1], b);
            for (int c = 0; c < copies(2, place[2]); ++c) {
                const int k = copy_at(2, place[2], c);
                for (int e = 0; e < copies(3, place[3]); ++e) {
                    const int l = copy_at(3, place[3], e);
                    if (i < 0 || j < 0 || k < 0 || l < 0) continue;
                    sum += source[(((rest * p.padded_size[0] + i) * p.padded_size[1] + j) * p.padded_size[2] + k) *
                                      p.padded_size[3] + l];
                }
            }
        }
    }
    if (p.accumulate != 0) sum += destination[index];
    destination[index] = sum;
}
#endif
