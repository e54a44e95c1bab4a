// What the window itself remembers; everything else is the session's.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "live/session.h"
#include "ui/canvas.h"

namespace deconv::ui {

/// In the order of live::view_names().
enum class Mode { side_by_side, overlay, layer, mosaic, ladder, network, compare };
/// In the order of live::blend_names(); live::RecordWhat is in that of live::record_names().
enum class Blend { signal, mix, spotlight };

/// A source or network that a menu offers.
struct Offer {
    std::string label, value;
    bool fetch = false;  // not there yet: the catalogue's
};

struct ViewState {
    Mode mode = Mode::side_by_side;
    Blend blend = Blend::signal;
    bool mirror = false;
    bool help = false;
    bool panel = true;
    bool quit = false;
    bool full_screen = false;
    bool timings = false;
    bool hint = true;                     // the one line of help, until something was done
    bool kiosk = false, may_keep = true;  // may_keep: recordings and snapshots are allowed
    float opacity = 0.85F;
    std::array<View, 3> views;  // zoom and pan of the panes, from the left
    bool record_asked = false, snapshot_asked = false, save_best_asked = false;
    std::string layer_search, source_path, model_path;
    // Menus, looked up when they are opened.
    bool menu_opened = false;
    std::vector<Offer> sources, models;
    std::vector<gpu::DeviceInfo> devices;
    std::string device_asked;  // index of another device to run on
    std::string fetch_asked;   // name of a network to fetch
    std::string fetching;      // how far that is; empty: nothing is being fetched
    float fetched = 0;         // 0 … 1
    bool fetch_cancelled = false;
    double latency_ms = 0;  // from capture to display
    double window_fps = 0;
};

/// What is under the mouse, for a tooltip.
struct Hover {
    std::string text;
};

}  // namespace deconv::ui
