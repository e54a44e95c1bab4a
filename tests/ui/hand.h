// A hand at the window's keys that knows what each of them should have done: the host's model of settings and view.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "live/program.h"

namespace deconv::testing {

/// Of a window on the built-in demo and the bundled network, begun with the default settings.
class Hand {
  public:
    /// The keys whose effect does not depend on what the network sees, or is not compared, as xdotool names them.  Not
    /// those that leave the window, write files, or choose network and device.
    static const std::vector<std::string>& keys() {
        static const std::vector<std::string> all = {"v",
                                                     "1",
                                                     "2",
                                                     "3",
                                                     "4",
                                                     "5",
                                                     "6",
                                                     "7",
                                                     "Up",
                                                     "Down",
                                                     "Left",
                                                     "Right",
                                                     "Prior",
                                                     "Next",
                                                     "s",
                                                     "n",
                                                     "a",
                                                     "f",
                                                     "w",
                                                     "x",
                                                     "o",
                                                     "r",
                                                     "z",
                                                     "u",
                                                     "d",
                                                     "e",
                                                     "equal",
                                                     "minus",
                                                     "bracketright",
                                                     "bracketleft",
                                                     "comma",
                                                     "period",
                                                     "y",
                                                     "m",
                                                     "0",
                                                     "space",
                                                     "F2",
                                                     "F3",
                                                     "i",
                                                     "j",
                                                     "k",
                                                     "h",
                                                     "t",
                                                     "F1",
                                                     "Tab",
                                                     "l",
                                                     "F11"};
        return all;
    }

    static const std::vector<std::string>& layers() {
        static const std::vector<std::string> all{"relu1_1", "pool1", "relu2_1", "relu2_2", "pool2",   "relu3_1",
                                                  "relu3_2", "pool3", "relu4_1", "relu4_2", "average", "fc"};
        return all;
    }

    void pressed(const std::string& key) {
        const auto step = [](int& value, int by, int count) { value = std::clamp(value + by, 0, count - 1); };
        const auto next = [](int& value, int count) { value = (value + 1) % count; };
        if (key.size() == 1 && key[0] >= '1' && key[0] <= '7') view_ = key[0] - '1';
        if (key == "v") next(view_, 7);
        if (key == "Up") step(layer_, -1, static_cast<int>(layers().size()));
        if (key == "Down") step(layer_, 1, static_cast<int>(layers().size()));
        if (key == "Left" || key == "Right" || key == "Prior" || key == "Next" || key == "s" || key == "n")
            all_ = false;
        if (key == "a") all_ = true;
        if (key == "w") max_ = false;
        if (key == "x") max_ = true;
        if (key == "o") one_ = !one_;
        if (key == "r") next(rule_, 3);
        if (key == "z") step(random_, 1, 9);
        if (key == "u") random_ = 0;
        if (key == "d") next(display_, 5);
        if (key == "e") next(fit_, 3);
        if (key == "equal") gain_ = std::min(10.0F, gain_ * 1.25F);
        if (key == "minus") gain_ = std::max(0.1F, gain_ / 1.25F);
        if (key == "bracketright") gamma_ = std::min(3.0F, gamma_ * 1.15F);
        if (key == "bracketleft") gamma_ = std::max(0.3F, gamma_ / 1.15F);
        if (key == "period") opacity_ = std::min(1.0F, opacity_ + 0.1F);
        if (key == "comma") opacity_ = std::max(0.0F, opacity_ - 0.1F);
        if (key == "y") next(blend_, 3);
        if (key == "m") mirror_ = !mirror_;
        if (key == "F2") step(size_, -1, static_cast<int>(sizes().size()));
        if (key == "F3") step(size_, 1, static_cast<int>(sizes().size()));
        if (key == "i") camera_ = !camera_;
        if (key == "h") next(record_, 3);
        if (key == "Tab") panel_ = !panel_;
        if (key == "F11") full_screen_ = !full_screen_;
        if (key == "BackSpace") {
            // What is looked at, its size, what is recorded and the window itself stay.
            const Hand before = *this;
            *this = Hand();
            size_ = before.size_;
            camera_ = before.camera_;
            record_ = before.record_;
            panel_ = before.panel_;
            full_screen_ = before.full_screen_;
        }
    }

    bool at_camera() const { return camera_; }

    /// What a picture's settings, as command line options, say otherwise; nothing where all is as it should be.
    std::string differences(const std::map<std::string, std::string>& settings) const {
        if (settings.empty()) return "no picture";
        std::string text;
        const auto expect = [&](const char* name, const std::string& should) {
            const auto found = settings.find(name);
            const std::string is = found == settings.end() ? "nothing" : found->second;
            if (is != should) text += std::string(name) + " is " + is + ", not " + should + "; ";
        };
        const std::string size = std::to_string(sizes()[static_cast<std::size_t>(size_)]);
        expect("--size", size + "x" + size);
        expect("--layer", layers()[static_cast<std::size_t>(layer_)]);
        expect("--rule", rules()[static_cast<std::size_t>(rule_)]);
        expect("--display", displays()[static_cast<std::size_t>(display_)]);
        expect("--blur", display_ == 3 ? "2" : "0");
        expect("--fit", fits()[static_cast<std::size_t>(fit_)]);
        expect("--projection", max_ ? "max" : "all");
        expect("--start", one_ ? "one" : "value");
        if (random_ > 0) expect("--random-layers", std::to_string(random_));
        if (random_ == 0 && settings.count("--random-layers") > 0) expect("--random-layers", "nothing");
        const auto channel = settings.find("--channel");
        if (channel == settings.end() || (channel->second == "all") != all_) text += "--channel; ";
        return text;
    }

    /// The same for what the window remembers.
    std::string differences_remembered(const Json& settings) const {
        if (!settings.is_object()) return "nothing remembered";
        std::string text;
        const auto expect = [&](const char* name, const Json& should) {
            const Json is = settings.value(name, Json());
            const bool same = is.is_number() && should.is_number()
                                  ? std::abs(is.get<double>() - should.get<double>()) < 1e-3
                                  : is == should;
            if (!same) text += std::string(name) + " is " + is.dump() + ", not " + should.dump() + "; ";
        };
        static const std::array<const char*, 7> views{"side by side", "overlay", "layer",  "mosaic",
                                                      "ladder",       "network", "compare"};
        static const std::array<const char*, 3> blends{"signal", "mix", "spotlight"};
        static const std::array<const char*, 3> records{"view", "side by side", "projection"};
        expect("view", views[static_cast<std::size_t>(view_)]);
        expect("blend", blends[static_cast<std::size_t>(blend_)]);
        expect("record", records[static_cast<std::size_t>(record_)]);
        expect("rule", rules()[static_cast<std::size_t>(rule_)]);
        expect("display", displays()[static_cast<std::size_t>(display_)]);
        expect("fit", fits()[static_cast<std::size_t>(fit_)]);
        expect("opacity", opacity_);
        expect("gain", gain_);
        expect("gamma", gamma_);
        expect("mirror", mirror_);
        expect("panel", panel_);
        expect("full_screen", full_screen_);
        return text;
    }

  private:
    static const std::vector<int>& sizes() {
        static const std::vector<int> all{32, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512};
        return all;
    }
    /// Of the bundled network: its stages.
    static const std::array<const char*, 3>& rules() {
        static const std::array<const char*, 3> all{"deconv", "guided", "gradient"};
        return all;
    }
    static const std::array<const char*, 5>& displays() {
        static const std::array<const char*, 5> all{"signed", "positive", "norm", "norm", "range"};
        return all;
    }
    static const std::array<const char*, 3>& fits() {
        static const std::array<const char*, 3> all{"crop", "stretch", "letterbox"};
        return all;
    }

    // Places in the lists above, and in the window's own.
    int view_ = 0, blend_ = 0, record_ = 1, size_ = 3, layer_ = 6, rule_ = 0, display_ = 0, fit_ = 0;
    int random_ = 0;  // layers
    bool all_ = false, max_ = false, one_ = false;
    float gain_ = 1, gamma_ = 1, opacity_ = 0.85F;
    bool mirror_ = false, panel_ = true, full_screen_ = false, camera_ = false;
};

}  // namespace deconv::testing
