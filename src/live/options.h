// What a person asked for: the command line, as data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "image/display.h"
#include "image/fit.h"
#include "nn/operator.h"
#include "nn/projection.h"

namespace deconv::live {

struct Options {
    std::string camera;                            // number, device path or stream URL; empty: none asked for
    std::string input;                             // file, folder, "demo" or X.npy; empty: none asked for
    std::string model;                             // name or FILE.onnx; empty: the bundled default
    bool watch = false;                            // the network is loaded anew whenever its file changes
    std::optional<int> input_width, input_height;  // of the network
    image::Fit fit = image::Fit::crop;

    std::string layer;                  // name or index; empty: the middle stage, or the classes for a class label
    std::string channel = "strongest";  // number, class label, "strongest" or "all"
    nn::Selection::Where where = nn::Selection::Where::all;
    int y = 0, x = 0;
    bool start_one = false;
    nn::Rule rule = nn::Rule::deconv;
    nn::LrnReverse lrn = nn::LrnReverse::identity;
    nn::Precision precision = nn::Precision::single;
    image::Display display = image::Display::signed_zero_grey;
    double blur = 0;
    int random_layers = 0;  // learned layers whose weights are random, from the top

    std::int64_t frames = 0;  // 0: as many as there are
    std::string record, snapshot, raw, activations;
    bool json = false;
    std::string trace;  // where the timeline goes

    std::string device;  // index or part of a name
    bool minimum_limits = false;
    bool tuning = true;  // in the window: measure which algorithms are fastest, in the background
};

}  // namespace deconv::live
