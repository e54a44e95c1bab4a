// Winograd's minimal filtering F(TILE × TILE, 3 × 3) (Lavin and Gray, arXiv 1509.09308): the transforms along one axis,
// of `Value`s, which the shader defines before: one channel's, or four channels' at once.  Tiles of the source are
// POINTS × POINTS and overlap by two.
#ifndef DECONV_WINOGRAD
#define DECONV_WINOGRAD

const uint POINTS = TILE + 2;

// Bᵀ d
void to_points(inout Value d[POINTS]) {
#if TILE == 2
    const Value d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
    d[0] = d0 - d2;
    d[1] = d1 + d2;
    d[2] = d2 - d1;
    d[3] = d1 - d3;
#else
    const Value d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5];
    const Value even = d4 - 4.0 * d2;
    const Value odd = d3 - 4.0 * d1;
    const Value even2 = d4 - d2;
    const Value odd2 = 2.0 * (d3 - d1);
    d[0] = 4.0 * d0 - 5.0 * d2 + d4;
    d[1] = even + odd;
    d[2] = even - odd;
    d[3] = even2 + odd2;
    d[4] = even2 - odd2;
    d[5] = 4.0 * d1 - 5.0 * d3 + d5;
#endif
}

// Aᵀ m
void from_points(in Value m[POINTS], out Value y[TILE]) {
#if TILE == 2
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
#else
    const Value sum = m[1] + m[2];
    const Value difference = m[1] - m[2];
    const Value sum2 = m[3] + m[4];
    const Value difference2 = m[3] - m[4];
    y[0] = m[0] + sum + sum2;
    y[1] = difference + 2.0 * difference2;
    y[2] = sum + 4.0 * sum2;
    y[3] = difference + 8.0 * difference2 + m[5];
#endif
}
#endif
