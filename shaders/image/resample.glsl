// Resampling of 8-bit RGBA pictures, each axis by itself: exact area coverage where it shrinks (or keeps its size),
// bilinear between pixel centres with clamped edges where it grows.
#ifndef DECONV_RESAMPLE
#define DECONV_RESAMPLE

// The source pixels that output pixel o of an axis is made of: first … last, and the range they are taken from.
struct Taps {
    int first, last;
    float low, high;  // area: the range covered; bilinear: low is the place between the two pixels
    bool area;
};

// Resamples [begin, begin + length) of an axis of n pixels to `count` pixels.
Taps taps_along(int n, float begin, float length, int count, int o) {
    const float scale = length / float(count);
    Taps taps;
    taps.area = scale >= 1.0;
    if (taps.area) {
        taps.low = begin + float(o) * scale;
        taps.high = taps.low + scale;
        taps.first = clamp(int(floor(taps.low)), 0, n - 1);
        taps.last = clamp(int(ceil(taps.high)) - 1, taps.first, n - 1);
    } else {
        taps.low = clamp(begin + (float(o) + 0.5) * scale - 0.5, 0.0, float(n - 1));
        taps.high = 0.0;
        taps.first = min(int(taps.low), max(n - 2, 0));
        taps.last = min(taps.first + 1, n - 1);
    }
    return taps;
}

float tap_weight(Taps taps, int i) {
    const float at = float(i);
    if (taps.area) return max(0.0, min(taps.high, at + 1.0) - max(taps.low, at)) / (taps.high - taps.low);
    return max(0.0, 1.0 - abs(taps.low - at));
}
#endif
