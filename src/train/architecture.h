// Networks to train: by name, or from a file that lists their layers.
#pragma once

#include <cstdint>
#include <string>

#include "nn/graph.h"

namespace deconv::train {

/// "vgg-small": 3×3 convolutions with batch normalisation, one of 32 channels, two of 64, two of 128, one of 256, max
/// pools between, the mean over the plane, and a linear layer.  "zf": after Zeiler and Fergus, a 5×5 convolution with
/// stride 2, then pairs of 3×3 ones, of 48 to 256 channels.
///
/// The graph in its inference form (BatchNormalization, Dropout) for images of that many channels and any size, with
/// one output, the logits of so many classes; weights drawn from the seed so that activations neither vanish nor
/// explode (He et al., arXiv 1502.01852).  `name_or_file`: one of those two, or a JSON file:
///
///     {"layers": [{"type": "conv", "channels": 32, "kernel": 3, "stride": 1, "pad": 1,
///                  "batch_norm": true, "relu": true},
///                 {"type": "max_pool", "kernel": 2, "stride": 2}, {"type": "average_pool", …},
///                 {"type": "dropout", "ratio": 0.5}, {"type": "global_average"}, {"type": "linear"}]}
///
/// What a layer leaves out has the value shown, except `pad`, which is half the kernel, `stride` of a pool, which is
/// its kernel, and `outputs` of "linear", which is the number of classes.  Throws Error naming file and layer.
nn::Graph make_architecture(const std::string& name_or_file, std::int64_t image_channels, std::int64_t classes,
                            std::uint64_t seed);

}  // namespace deconv::train
