// A max pool of 2×2 windows with stride 2 in the last step of what makes its input, and unpooling in the last step of
// what makes the signal at its output (max_pool_packed.comp in steps of their own).  Packed maps; the shader declares
// `quads`, its destination, and, to write and to read, `switches` and `kept_switches` before.
#ifndef DECONV_POOLING
#define DECONV_POOLING

// A window's maximum, and perhaps its switch; `corner` is its first place in the plane that is pooled, which has rows
// of `width`.
void put_window(uint at, uint corner, uint width, vec4 values[4], bool keep_switch) {
    vec4 best = values[0];
    uvec4 places = uvec4(corner);
    [[unroll]] for (uint k = 1; k < 4; ++k)
        [[unroll]] for (uint j = 0; j < 4; ++j) {
            const bool taken = values[k][j] > best[j];
            best[j] = taken ? values[k][j] : best[j];
            places[j] = taken ? corner + k / 2 * width + k % 2 : places[j];
        }
    quads[at] = to_quad(best);
    if (keep_switch) switches[at] = to_quad(places);
}

// A window's signal where its switch says, zeros elsewhere; `at` is its first place in the destination.
void put_unpooled(uint at, uint corner, uint width, uint switch_at, vec4 value) {
    const uvec4 place = texelFetch(kept_switches, int(switch_at));
    [[unroll]] for (uint k = 0; k < 4; ++k) {
        const uint away = k / 2 * width + k % 2;
        vec4 here;
        [[unroll]] for (uint j = 0; j < 4; ++j) here[j] = place[j] == corner + away ? value[j] : 0.0;
        quads[at + away] = to_quad(here);
    }
}
#endif
