// Receptive fields by following index intervals back through the graph: "Receptive fields and patches".
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "reference/network.h"

namespace deconv::reference {

/// Along one axis, unit i of the tensor sees input pixels offset + i * stride … offset + i * stride + size - 1, of
/// which some may lie outside the image.  After a transposed convolution the stride may be a fraction and the fields
/// of units differ; size is then the largest and offset is unit 0's own.
struct FieldAxis {
    double size = 1;
    double stride = 1;  // 0 where every unit sees the same (after global pooling, fully connected layers)
    double offset = 0;
};

struct ReceptiveField {
    FieldAxis y, x;
};

/// Pixels y0 <= y < y1, x0 <= x < x1.
struct Box {
    std::int64_t y0 = 0, x0 = 0, y1 = 0, x1 = 0;
};

/// `values` (of a forward pass) give the sizes that whole-map operators see.  Throws where no path leads from the
/// input to the tensor.
ReceptiveField receptive_field(const Network& network, const Network::Values& values, const std::string& tensor,
                               const std::string& input);

/// The union of the fields of units y0 … y1 - 1, x0 … x1 - 1 of the tensor, cut to the image.
Box field_box(const Network& network, const Network::Values& values, const std::string& tensor,
              const std::string& input, const Box& units);

}  // namespace deconv::reference
