#include "live/moments.h"

namespace deconv::live {
namespace {

constexpr int tile = 160;  // pixels of a patch's longer side

double seconds_of(Moments::Time time) {
    return std::chrono::duration<double>(time.time_since_epoch()).count();
}

}  // namespace

void Moments::forget() {
    best_.clear();
    channel_ = -1;
}

void Moments::follow(int channel) {
    if (channel == channel_) return;
    best_.clear();
    channel_ = channel;
}

bool Moments::wants(float value, Time when) const {
    return best_.wants(value, seconds_of(when));
}

void Moments::begin(const Engine& engine, float value, int place, Time when) {
    const nn::Network& network = engine.graph();
    const int target = engine.projector->plan().options().target;
    const nn::Network::TensorInfo& info = network.tensors()[static_cast<std::size_t>(target)];
    const auto width = static_cast<int>(nn::extent_of(info.shape).width);
    const PublishedPictures& pictures = *engine.projector->published();
    next_ = {};
    next_.value = value;
    next_.seconds = seconds_of(when);
    next_.y = place / width;
    next_.x = place % width;
    field_ = field_of(info.field, next_.y, next_.x, pictures.input_width, pictures.input_height);
    part_ = in_picture(field_, pictures.placement);
    seen_ = seen_part(pictures.placement);
    const nn::Shape& input = engine.projector->plan().reconstruction().shape;
    mean_ = mean_colour(preprocessing_of(engine.network->file->sidecar), static_cast<int>(input[1]));
}

void Moments::finish(const Picture& camera, const Picture& projection) {
    next_.patch = cut(camera, part_, seen_, tile, mean_);
    next_.projection = cut(projection, field_, whole(projection), tile, neutral_grey);
    best_.add(std::move(next_));
}

}  // namespace deconv::live
