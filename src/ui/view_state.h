// What the window itself remembers; everything else is the session's.
#pragma once

#include <string>

#include "live/session.h"
#include "ui/canvas.h"

namespace deconv::ui {

enum class Mode { side_by_side, overlay, layer };

struct ViewState {
    Mode mode = Mode::side_by_side;
    bool mirror = false;
    bool help = false;
    bool panel = true;
    bool quit = false;
    bool full_screen = false;
    bool hint = true;  // the one line of help, until something was done
    float opacity = 0.85F;
    View left, right;  // zoom and pan of the two pictures
    bool record_asked = false, snapshot_asked = false;
    std::string layer_search;
};

/// A map under the mouse.
struct Hover {
    int channel = -1, y = 0, x = 0;
};

}  // namespace deconv::ui
