// Winograd's minimal filtering F(TILE × TILE, 3 × 3) (Lavin and Gray, arXiv 1509.09308): the transforms along one axis.
// Tiles of the source are POINTS × POINTS and overlap by two.
#ifndef DECONV_WINOGRAD
#define DECONV_WINOGRAD

const uint POINTS = TILE + 2;

// Bᵀ d
void to_points(inout float d[POINTS]) {
#if TILE == 2
    const float d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
    d[0] = d0 - d2;
    d[1] = d1 + d2;
    d[2] = d2 - d1;
    d[3] = d1 - d3;
#else
    const float d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5];
    const float even = d4 - 4.0 * d2;
    const float odd = d3 - 4.0 * d1;
    const float even2 = d4 - d2;
    const float odd2 = 2.0 * (d3 - d1);
    d[0] = 4.0 * d0 - 5.0 * d2 + d4;
    d[1] = even + odd;
    d[2] = even - odd;
    d[3] = even2 + odd2;
    d[4] = even2 - odd2;
    d[5] = 4.0 * d1 - 5.0 * d3 + d5;
#endif
}

// Aᵀ m
void from_points(in float m[POINTS], out float y[TILE]) {
#if TILE == 2
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
#else
    const float sum = m[1] + m[2];
    const float difference = m[1] - m[2];
    const float sum2 = m[3] + m[4];
    const float difference2 = m[3] - m[4];
    y[0] = m[0] + sum + sum2;
    y[1] = difference + 2.0 * difference2;
    y[2] = sum + 4.0 * sum2;
    y[3] = difference + 8.0 * difference2 + m[5];
#endif
}
#endif
