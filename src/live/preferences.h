// What the window remembers from one start to the next.
#pragma once

#include <string>
#include <vector>

namespace deconv::live {

/// Choices are the words of the command line (live/choices.h) and of the window (below).  What is looked at is the
/// command line's matter.
struct Preferences {
    // The window.
    std::string view = "side by side";  // view_names()
    bool panel = true;
    bool mirror = false;
    bool full_screen = false;
    int width = 1280, height = 800;  // of the window while it is not full screen, in screen coordinates
    // Over the camera.
    float opacity = 0.85F;         // 0 … 1
    std::string blend = "signal";  // blend_names()
    // The projection.
    std::string rule = "deconv", lrn = "identity", precision = "single", display = "signed", fit = "crop";
    double blur = 0;            // pixels, as --blur
    float gain = 1, gamma = 1;  // 0.1 … 10 and 0.3 … 3, as the sliders
    // What goes into a recording.
    std::string record = "side by side";  // record_names()
    std::string model;                    // name or path; empty: the default

    bool operator==(const Preferences&) const = default;
};

/// The window's views, in the order of its keys 1 to 7.
const std::vector<std::string>& view_names();
/// How the projection lies over the camera: only where it differs from grey; all of it, mixed; or as the light in
/// which the camera's picture is seen.
const std::vector<std::string>& blend_names();
/// What is recorded: the window's view, camera and projection, or the projection alone.
const std::vector<std::string>& record_names();

/// $XDG_CONFIG_HOME/deconv-live/settings.json, by default below ~/.config; empty where there is no home.
std::string preferences_path();

/// What was saved, or the defaults where nothing was.  A file that is not JSON or has a value that cannot be is set
/// aside as PATH.broken (.broken.1, … where that is taken), so that nothing of it is lost; `message` then says so in
/// one line, and is empty otherwise.  Never throws for what is in the file system.
Preferences load_preferences(const std::string& path, std::string& message);

/// Writes them as a whole, making the folders (mode 0700) that are missing.  Keys that this version does not know stay
/// as they are in the file; values that load_preferences() would refuse are left out, and so are texts that are not
/// UTF-8, which JSON cannot hold.  Does nothing where `path` is empty.  Returns a line that says why it could not, or
/// nothing.  Any thread; of several at once the last wins.
std::string save_preferences(const std::string& path, const Preferences& preferences);

}  // namespace deconv::live
