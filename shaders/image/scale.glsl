// What the search for the display's scale shares: the state of one copy and the box it looks at.
//
// The 99.5th percentile is found exactly, by the bits of the magnitudes (which order like the numbers).  In large
// pictures by a histogram of the upper 11 of 31 bits, then of the next 10 among those in the bin found, then of the last
// 10 (scale.comp, histogram.comp); in small ones by one workgroup (percentile.comp).
#ifndef DECONV_SCALE
#define DECONV_SCALE

const uint BINS = 2048;

struct State {
    uint prefix;    // upper bits found so far
    uint rank;      // how many of the values in that bin still count, from the smallest
    uint largest;   // bits of the largest magnitude in the box
    uint low, high; // of all values in the image, as ordered numbers
    float scale;    // what the display divides by
    float smoothed; // in live views, from frame to frame
    float peak;     // likewise, decaying
    uint begun;     // there was a frame before
    uint reserved[7];
};

// How the receptive field of the start lies in the image: place p of the tensor sees p · stride + offset, size pixels.
struct FieldBox {
    int width, height;      // of the image
    int tensor_height, tensor_width;
    float stride_y, stride_x, offset_y, offset_x, size_y, size_x;
    uint whole;             // the field is the whole image, whatever was selected
};

// Pixels x0, y0 … x1 − 1, y1 − 1 of the image.
ivec4 box_of(FieldBox field, ivec4 selection) {
    if (field.whole != 0) return ivec4(0, 0, field.width, field.height);
    // A single position has a field of its own; a whole map (or a maximum in every channel) has all of them.
    const bool single = selection.y == 2 || (selection.y == 1 && selection.x != -2);
    const int y = single ? selection.z / field.tensor_width : 0;
    const int x = single ? selection.z % field.tensor_width : 0;
    const float rows = single ? 0.0 : float(field.tensor_height - 1) * field.stride_y;
    const float columns = single ? 0.0 : float(field.tensor_width - 1) * field.stride_x;
    const float top = float(y) * field.stride_y + field.offset_y;
    const float left = float(x) * field.stride_x + field.offset_x;
    const int y0 = clamp(int(floor(top)), 0, field.height);
    const int x0 = clamp(int(floor(left)), 0, field.width);
    const int y1 = clamp(int(ceil(top + rows + field.size_y)), 0, field.height);
    const int x1 = clamp(int(ceil(left + columns + field.size_x)), 0, field.width);
    if (y1 <= y0 || x1 <= x0) return ivec4(0, 0, field.width, field.height);
    return ivec4(x0, y0, x1, y1);
}

// The state with the scale that this frame is shown with, from the percentile of its own.  `seconds` since the frame
// before; 0: a still picture.  `alone`: the frames after it know nothing of it.
State settled(State state, float scale, float seconds, bool alone) {
    if (scale == 0.0) scale = uintBitsToFloat(state.largest);
    if (!alone) {
        if (seconds > 0.0 && state.begun != 0) {
            // Upwards within a twentieth of a second, downwards over one; never below a tenth of a peak that fades over
            // ten: the picture does not flicker, and absence looks absent.
            const float time = scale > state.smoothed ? 0.05 : 1.0;
            const float followed = mix(scale, state.smoothed, exp(-seconds / time));
            state.peak = max(scale, state.peak * exp(-seconds / 10.0));
            scale = max(followed, 0.1 * state.peak);
        } else {
            state.peak = scale;
        }
        state.smoothed = scale;
        state.begun = 1;
    }
    state.scale = scale;
    return state;
}

// Floats as unsigned numbers of the same order.
uint ordered(float value) {
    const uint bits = floatBitsToUint(value);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}
float unordered(uint number) {
    return uintBitsToFloat((number & 0x80000000u) != 0 ? number & 0x7fffffffu : ~number);
}
#endif
