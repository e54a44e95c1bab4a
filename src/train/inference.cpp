#include "train/inference.h"

#include "base/error.h"

namespace deconv::train {

Inference::Inference(const gpu::Device& device, gpu::Pipelines& pipelines, const nn::Graph& graph, const Images& images,
                     std::size_t batch, const std::string& layer)
    : device_(device),
      scheduler_(device),
      model_(device,
             nn::Network(graph, {{graph.inputs.at(0).name,
                                  {static_cast<std::int64_t>(batch), images.channels, images.height, images.width}}})),
      plan_(model_, options_for(layer)),
      recording_(device, pipelines, plan_.single_steps().empty() ? plan_.steps() : plan_.single_steps(), {100}),
      input_(batch * images.image_bytes()) {}

int Inference::scores_tensor() const {
    if (model_.network().outputs().empty()) throw Error("the network has no output");
    return model_.network().projection_start(model_.network().outputs()[0]);
}

nn::PlanOptions Inference::options_for(const std::string& layer) const {
    nn::PlanOptions options;
    options.observed = {scores_tensor()};
    if (!layer.empty()) options.target = model_.network().find_layer(layer).tensor;
    return options;
}

void Inference::run() {
    gpu::upload(device_, std::as_bytes(std::span(input_)), plan_.tensor(model_.network().inputs()[0]).slice);
    scheduler_.wait(scheduler_.submit(recording_));
}

void Inference::project(std::int32_t channel) {
    nn::Selection selection;
    selection.channel = channel;
    selection.where = nn::Selection::Where::max;
    const nn::SelectionRequest request = nn::to_request(selection, nn::extent_of(layer().shape).width);
    gpu::upload(device_, std::as_bytes(std::span(&request, 1)), plan_.requests());
    run();
}

template <typename T>
std::vector<T> Inference::download(const gpu::Slice& slice) const {
    std::vector<T> result(slice.bytes / sizeof(T));
    gpu::download(device_, slice, std::as_writable_bytes(std::span(result)));
    return result;
}

std::vector<float> Inference::scores() const {
    return download<float>(plan_.tensor(scores_tensor()).slice);
}

std::size_t Inference::classes() const {
    const nn::Shape& shape = tensor(scores_tensor()).shape;
    return static_cast<std::size_t>(nn::elements(shape) / shape.at(0));
}

std::vector<Inference::Peak> Inference::peaks() const {
    return download<Peak>(plan_.peaks());
}

std::vector<float> Inference::reconstruction() const {
    return download<float>(plan_.reconstruction().slice);
}

}  // namespace deconv::train
