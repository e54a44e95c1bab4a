// The way back from a single position, cropped all the way down to its receptive field: a signal is a window of its map
// that moves with the position, and everything else of that map is zero.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "nn/memory_planner.h"
#include "nn/route.h"

namespace deconv::nn {

/// Along one axis, what a signal from position p of the target can reach of a map: `size` places from p · stride +
/// first on.  Those outside of the map are zero.
struct CropAxis {
    std::int64_t stride = 1, first = 0, size = 1;
};
/// Rows and columns.
using Crop = std::array<CropAxis, 2>;

/// See window.comp's push constants.
struct OtherCrop {
    Crop crop;
    std::int64_t map_width = 1, step_y = 1, step_x = 1;
};

/// Crops run as images of their own size: a node's reverse is that of the same operator, made anew for such images and
/// without padding, dense, over one image for each image of each copy.  What it reads of the forward pass is gathered
/// into crops first, and what it makes outside of a map is set to zero afterwards (shaders/nn/window.comp).
class CroppedWay {
  public:
    /// All of them outlive it.
    CroppedWay(Model& model, const PlanOptions& options, const Route& route);

    /// Every node on the way can be cropped, no memory needs several bindings, and the work is less than
    /// PlanOptions::crop_below of what it is otherwise.
    bool pays() const { return pays_; }

    /// What the steps read and write.
    struct Ends {
        std::vector<Tensor> forward;  // by index in the network: what the reverses on the way need
        gpu::Slice selections;        // one ResolvedSelection for each image of each copy
        Signal reconstruction;        // R₀, written when nothing else is read any more
    };
    /// The steps behind the selection, from the start to R₀.  Their memory is added to `blocks`.
    void emit(Emitter& emitter, const Ends& ends, std::vector<gpu::Buffer>& blocks);

  private:
    /// A crop of a forward tensor: values, or a pool's switches.
    struct Gathered {
        int tensor = -1;
        Crop crop;
        int memory = -1;
        int pool = -1;  // whose switches they are
    };
    /// The reverse of a node to one of its inputs.
    struct Crossing {
        int node = 0;
        std::size_t input = 0;
        std::shared_ptr<const Operator> op;  // for crops; none of a view, which hands the signal on
        Crop result;                         // what it makes
        int made = -1;            // memory of that, where the input's signal is larger; −1: it is made there itself
        bool accumulate = false;  // others came before
        std::vector<Gathered> inputs, outputs;
        std::optional<Gathered> rectified;  // the output of the rectifier that it applies, where that is read
    };

    /// Of window.comp; which goes through one crop, and may need to know another.
    enum class WindowStep : std::uint8_t { gather, switches, place, add, image, outside };

    static std::size_t index(int i) { return static_cast<std::size_t>(i); }
    const Network::NodeInfo& node(int i) const { return net_.nodes()[index(i)]; }
    const Network::TensorInfo& tensor(int i) const { return net_.tensors()[index(i)]; }
    int nodes() const { return static_cast<int>(net_.nodes().size()); }
    /// Of a crop of a tensor, for all images of all copies.
    Shape shape_of(int tensor, const Crop& crop) const;
    const Crop& crop(int tensor) const { return *crops_[index(tensor)]; }

    bool find_crops();
    /// What the node's reverse makes at each of its inputs.
    Crop made_by(int node) const;
    double share_of_work() const;
    void list_crossings();
    /// Whatever it binds can be bound at once.
    bool fits() const;
    std::shared_ptr<const Operator> make_cropped(int i, const Crop& input) const;
    Gathered gather(int tensor, const Crop& crop);
    int memory(std::int64_t elements, int first, int last);

    void emit_start(Emitter& emitter, const Ends& ends) const;
    void emit_gather(Emitter& emitter, const Ends& ends, const Gathered& gathered) const;
    void emit_crossing(Emitter& emitter, const Ends& ends, const Crossing& crossing) const;
    void emit_reconstruction(Emitter& emitter, const Ends& ends) const;
    void emit_window(Emitter& emitter, const Ends& ends, WindowStep step, int tensor, const Crop& crop,
                     const gpu::Slice& source, const gpu::Slice& destination, const OtherCrop& other = {},
                     Layout layout = Layout::dense) const;
    std::vector<Tensor> gathered_tensors(const std::vector<Gathered>& all) const;
    gpu::Slice slice(int memory) const { return slices_[index(memory)]; }

    Model& model_;
    const Network& net_;
    const PlanOptions& options_;
    const Route& route_;
    std::int64_t images_ = 1;  // of all copies
    bool pays_ = false;
    std::vector<std::optional<Crop>> crops_;  // by tensor
    std::vector<Crossing> crossings_;
    std::vector<int> signals_;  // by tensor: their memory; −1 where there is none
    std::vector<MemoryRequest> requests_;
    std::vector<gpu::Slice> slices_;
};

}  // namespace deconv::nn
