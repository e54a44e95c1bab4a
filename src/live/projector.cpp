#include "live/projector.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>

#include "base/error.h"

namespace deconv::live {
namespace {

constexpr int gap = 8;  // pixels between the camera and the projection

nn::PlanOptions plan_options(const nn::Network& network, const ProjectorOptions& options) {
    nn::PlanOptions plan;
    plan.target = options.target;
    plan.rule = options.rule;
    plan.lrn = options.lrn;
    plan.precision = options.precision;
    if (options.observed >= 0) plan.observed.insert(options.observed);
    prepare_plan(options.show, network, options.batch, plan);
    return plan;
}

image::DisplayMapping make_mapping(const gpu::Device& device, const nn::Network& network, const nn::Plan& plan,
                                   const ProjectorOptions& options) {
    const nn::Network::TensorInfo& target = network.tensors()[static_cast<std::size_t>(options.target)];
    image::FieldOfStart field;
    if (target.shape.size() == 4) field.tensor_height = static_cast<int>(target.shape[2]);
    if (target.shape.size() >= 3) field.tensor_width = static_cast<int>(target.shape.back());
    for (std::size_t axis = 0; axis < 2; ++axis) {
        field.stride.at(axis) = target.field.at(axis).stride;
        field.offset.at(axis) = target.field.at(axis).offset;
        field.size.at(axis) = target.field.at(axis).size;
        field.whole = field.whole || target.field.at(axis).global;
    }
    image::DisplayOptions display;
    display.display = options.display;
    display.blur = options.blur;
    display.bgr = options.preprocessing.bgr;
    for (std::size_t c = 0; c < 3; ++c) {
        const float std = options.preprocessing.std.at(c);
        display.factor.at(c) = options.rule == nn::Rule::gradient ? 1.0F / std : std;
    }
    const nn::Shape& shape = plan.reconstruction().shape;
    return {device,
            plan.reconstruction().slice,
            plan.selections(),
            static_cast<int>(plan.options().copies),
            static_cast<int>(shape[1]),
            static_cast<int>(shape[3]),
            static_cast<int>(shape[2]),
            field,
            display};
}

}  // namespace

Projector::Projector(const gpu::Device& device, gpu::Pipelines& pipelines, gpu::Scheduler& scheduler, nn::Model& model,
                     const ProjectorOptions& options)
    : device_(device),
      pipelines_(pipelines),
      scheduler_(scheduler),
      model_(model),
      options_(options),
      plan_(model, plan_options(model.network(), options)),
      extent_(nn::extent_of(plan_.tensor(options.target).shape)),
      classes_(model.network().classes()),
      mapping_(make_mapping(device, model.network(), plan_, options)) {
    const nn::Shape& shape = plan_.reconstruction().shape;
    channels_ = static_cast<int>(shape[1]);
    input_height_ = static_cast<int>(shape[2]);
    input_width_ = static_cast<int>(shape[3]);
    selections_.resize(static_cast<std::size_t>(plan_.options().copies));
    exhibit_ =
        make_exhibit(options.show, {device, model.network(), plan_, mapping_.pictures(), input_width_, input_height_});
}

Projector::~Projector() {
    try {
        for (std::size_t i = 0; i < busy_.size(); ++i) scheduler_.wait(slots_.at(busy_[i]).ticket);
    } catch (const std::exception&) {  // a lost device runs nothing any more
        busy_.clear();
    }
}

void Projector::prepare(int width, int height) {
    if (prepared_ && width == width_ && height == height_) return;
    prepared_ = true;
    if (!busy_.empty()) throw Error("a frame of another size while others are under way");
    width_ = width;
    height_ = height;
    const bool tensor = width == 0;

    // The view's height is the picture's, within what screens and encoders like.
    constexpr int smallest = 240;
    constexpr int largest = 1080;
    const int shown = tensor ? input_height_ : height;
    if (view_height_ == 0) {
        view_height_ = shown < smallest ? shown * ((smallest + shown - 1) / shown) : std::min(shown, largest);
        const int projection_width = std::max(2, view_height_ * input_width_ / input_height_);
        const int picture_width =
            tensor ? 0 : std::clamp(static_cast<int>(std::int64_t{width} * view_height_ / height), 16, 4 * largest);
        view_width_ = picture_width + (tensor ? 0 : gap) + projection_width;
    }

    const std::uint64_t alignment = 256;
    const std::uint64_t data_bytes =
        tensor ? std::uint64_t{4} * static_cast<std::uint64_t>(channels_) *
                     static_cast<std::uint64_t>(input_height_ * input_width_)
               : std::uint64_t{4} * static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height);
    const std::uint64_t view_bytes =
        std::uint64_t{4} * static_cast<std::uint64_t>(view_width_) * static_cast<std::uint64_t>(view_height_);
    request_at_ = gpu::align_up(data_bytes, alignment);
    viewing_at_ = gpu::align_up(request_at_ + plan_.requests().bytes, alignment);
    exhibit_up_at_ = viewing_at_ + alignment;
    selection_at_ = gpu::align_up(view_bytes, alignment);
    peaks_at_ = gpu::align_up(selection_at_ + plan_.selections().bytes, alignment);
    scores_at_ = gpu::align_up(peaks_at_ + plan_.peaks().bytes, alignment);
    scores_bytes_ = classes_.tensor >= 0 ? plan_.tensor(classes_.tensor).slice.bytes : 0;
    projection_at_ = gpu::align_up(scores_at_ + scores_bytes_, alignment);
    exhibit_down_at_ = gpu::align_up(projection_at_ + mapping_.picture().slice.bytes, alignment);
    if (!tensor) picture_ = gpu::Buffer(device_, data_bytes, gpu::MemoryUse::device);
    view_ = gpu::Buffer(device_, view_bytes, gpu::MemoryUse::device);
    if (options_.publish) publish_into(width, height);
    for (Slot& slot : slots_) {
        const std::uint64_t exhibit_up = exhibit_ ? exhibit_->upload_bytes() : 0;
        const std::uint64_t exhibit_down = exhibit_ ? exhibit_->readback_bytes() : 0;
        slot.upload = gpu::Buffer(device_, exhibit_up_at_ + exhibit_up, gpu::MemoryUse::upload);
        slot.readback = gpu::Buffer(device_, exhibit_down_at_ + exhibit_down, gpu::MemoryUse::readback);
        for (const Kind kind : {Kind::plain, Kind::with_view, Kind::aside}) {
            if (!options_.publish && kind != (view_wanted_ ? Kind::with_view : Kind::plain)) continue;
            for (const bool single : {false, true}) {
                if (single && plan_.single_steps().empty()) continue;
                slot.recordings.at(static_cast<std::size_t>(kind)).at(single ? 1 : 0) =
                    std::make_unique<gpu::Recording>(device_, pipelines_, steps_of(slot, kind, single),
                                                     gpu::Recording::Options::guess(device_.info()));
            }
        }
    }
}

void Projector::publish_into(int width, int height) {
    // A window may still draw the old ones.
    auto pictures = std::make_shared<PublishedPictures>();
    pictures->placement =
        image::place(options_.fit, std::max(width, 1), std::max(height, 1), input_width_, input_height_);
    const bool black = options_.display == image::Display::positive || options_.display == image::Display::norm;
    pictures->zero = black ? 0.0F : 0.5F;
    pictures->input_width = input_width_;
    pictures->input_height = input_height_;
    const auto bytes = [](int w, int h) {
        return gpu::align_up(std::uint64_t{4} * static_cast<std::uint64_t>(w) * static_cast<std::uint64_t>(h), 256);
    };
    const std::uint64_t camera = bytes(width, height);
    const std::uint64_t projection = bytes(input_width_, input_height_);
    image::DevicePicture exhibit = exhibit_ ? exhibit_->picture_size() : image::DevicePicture{};
    pictures->buffer =
        gpu::Buffer(device_, camera + projection + bytes(exhibit.width, exhibit.height), gpu::MemoryUse::device);
    const gpu::Slice all = pictures->buffer.slice();
    device_.run_once([&](vk::CommandBuffer commands) {
        commands.fillBuffer(all.buffer, 0, VK_WHOLE_SIZE, image::background_colour);
    });
    pictures->camera = {
        all.part(0, std::uint64_t{4} * static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height)), width,
        height};
    pictures->projection = {all.part(camera, mapping_.picture().slice.bytes), input_width_, input_height_};
    if (exhibit_) {
        exhibit.slice = all.part(camera + projection, bytes(exhibit.width, exhibit.height));
        pictures->exhibit = exhibit;
    }
    published_ = std::move(pictures);
}

std::vector<gpu::Step> Projector::steps_of(const Slot& slot, Kind kind, bool single) {
    const bool tensor = width_ == 0;
    const gpu::Slice up = slot.upload.slice();
    const gpu::Slice down = slot.readback.slice();
    const gpu::Slice input = plan_.tensor(model_.network().inputs()[0]).slice;
    const image::DevicePicture camera{tensor ? gpu::Slice{} : picture_.slice(), width_, height_};
    std::vector<gpu::Step> steps;

    if (tensor) {
        steps.push_back(gpu::copy_step({up.part(0, input.bytes), input}, "upload"));
    } else {
        steps.push_back(gpu::copy_step({up.part(0, camera.slice.bytes), camera.slice}, "upload"));
    }
    steps.push_back(gpu::copy_step({up.part(request_at_, plan_.requests().bytes), plan_.requests()}, "upload"));
    steps.push_back(gpu::copy_step({up.part(viewing_at_, mapping_.viewing().bytes), mapping_.viewing()}, "upload"));
    if (!tensor) {
        const image::Placement placement = image::place(options_.fit, width_, height_, input_width_, input_height_);
        steps.push_back(image::fit_step(device_.info(), camera, placement, options_.preprocessing, input, input_width_,
                                        input_height_, channels_));
    }
    const std::vector<gpu::Step>& pass = single ? plan_.single_steps() : plan_.steps();
    steps.insert(steps.end(), pass.begin(), pass.end());
    steps.insert(steps.end(), mapping_.steps().begin(), mapping_.steps().end());

    if (options_.publish && kind != Kind::aside) {
        // One stage of its own, so that a window never sees half of it.
        if (!tensor) steps.push_back(gpu::copy_step({camera.slice, published_->camera.slice}, "publish"));
        steps.push_back(gpu::copy_step({mapping_.picture().slice, published_->projection.slice}, "publish"));
        if (exhibit_) {
            exhibit_->add_steps(steps, published_->exhibit, up.part(exhibit_up_at_, exhibit_->upload_bytes()),
                                down.part(exhibit_down_at_, exhibit_->readback_bytes()));
        }
    }
    if (options_.publish) {
        steps.push_back(gpu::copy_step(
            {mapping_.picture().slice, down.part(projection_at_, mapping_.picture().slice.bytes)}, "display"));
    }
    steps.push_back(
        gpu::copy_step({plan_.selections(), down.part(selection_at_, plan_.selections().bytes)}, "display"));
    steps.push_back(gpu::copy_step({plan_.peaks(), down.part(peaks_at_, plan_.peaks().bytes)}, "display"));
    if (scores_bytes_ > 0) {
        steps.push_back(
            gpu::copy_step({plan_.tensor(classes_.tensor).slice, down.part(scores_at_, scores_bytes_)}, "display"));
    }
    if (kind == Kind::with_view) add_view_steps(steps, down);
    return steps;
}

void Projector::add_view_steps(std::vector<gpu::Step>& steps, const gpu::Slice& down) {
    const bool tensor = width_ == 0;
    const image::DevicePicture camera{tensor ? gpu::Slice{} : picture_.slice(), width_, height_};
    const image::DevicePicture view{view_.slice(), view_width_, view_height_};
    const int projection_width = std::max(2, view_height_ * input_width_ / input_height_);
    const int left = view_width_ - projection_width;
    if (!tensor) {
        steps.push_back(image::compose_step(device_.info(), camera, view, {0, 0, left - gap, view_height_},
                                            image::background_colour));
        steps.push_back(
            image::fill_step(device_.info(), view, {left - gap, 0, gap, view_height_}, image::background_colour));
    }
    steps.push_back(image::compose_step(device_.info(), mapping_.picture(), view,
                                        {left, 0, projection_width, view_height_}, image::background_colour));
    steps.push_back(gpu::copy_step({view.slice, down.part(0, view.slice.bytes)}, "display"));
}

void Projector::submit(const Picture& picture, const nn::Selection& selection, double seconds) {
    prepare(picture.width, picture.height);
    start(view_wanted_ ? Kind::with_view : Kind::plain, selection, seconds, picture.rgba.data(), picture.rgba.size());
}

void Projector::submit(const std::vector<float>& tensor, const nn::Selection& selection) {
    prepare(0, 0);
    start(view_wanted_ ? Kind::with_view : Kind::plain, selection, 0, tensor.data(), tensor.size() * sizeof(float));
}

void Projector::submit_aside(const Picture& picture, const nn::Selection& selection) {
    prepare(picture.width, picture.height);
    start(Kind::aside, selection, -1, picture.rgba.data(), picture.rgba.size());
}

void Projector::start(Kind kind, const nn::Selection& selection, double seconds, const void* data, std::size_t bytes) {
    if (busy_.full()) throw Error("too many frames under way");
    Slot& slot = slots_.at(next_);
    busy_.push(next_);
    next_ = (next_ + 1) % slots;
    const auto begin = std::chrono::steady_clock::now();
    std::byte* to = slot.upload.mapped().data();
    std::memcpy(to, data, bytes);
    std::fill(selections_.begin(), selections_.end(), selection);
    if (exhibit_ && kind != Kind::aside) {
        const double now = std::chrono::duration<double>(begin.time_since_epoch()).count();
        exhibit_->batch(selection, now, std::span(selections_).subspan(1));
        exhibit_->write(slot.upload.mapped().subspan(exhibit_up_at_));
    }
    for (std::size_t i = 0; i < selections_.size(); ++i) {
        const nn::SelectionRequest request = nn::to_request(selections_[i], extent_.width);
        std::memcpy(to + request_at_ + i * sizeof request, &request, sizeof request);
    }
    image::Viewing viewing;
    viewing.seconds = static_cast<float>(seconds);
    viewing.gain = gain_;
    viewing.gamma = gamma_;
    viewing.alone = plan_.options().copies > 1 ? 1 : 0;
    std::memcpy(to + viewing_at_, &viewing, sizeof viewing);
    slot.upload_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    slot.kind = kind;
    const auto& recordings = slot.recordings.at(static_cast<std::size_t>(kind));
    const bool single = recordings[1] && std::all_of(selections_.begin(), selections_.end(),
                                                     [](const nn::Selection& s) { return s.is_single(); });
    slot.running = recordings.at(single ? 1 : 0).get();
    slot.submitted = std::chrono::steady_clock::now();
    slot.ticket = scheduler_.submit(*slot.running);
}

void Projector::collect(ProjectedFrame& frame) {
    Slot& slot = slots_.at(busy_.front());
    scheduler_.wait(slot.ticket);
    static_cast<void>(busy_.pop());
    frame.submitted = slot.submitted;
    const std::span<const std::byte> from = slot.readback.mapped();
    frame.view.reset();
    if (slot.kind == Kind::with_view) {
        const std::shared_ptr<Picture> view = views_.take();
        view->resize(view_width_, view_height_);
        std::memcpy(view->rgba.data(), from.data(), view->rgba.size());
        frame.view = view;
    }
    const bool projection = options_.publish && (slot.kind == Kind::aside || projection_wanted_);
    frame.projection.resize(projection ? input_width_ : 0, projection ? input_height_ : 0);
    if (projection) {
        std::memcpy(frame.projection.rgba.data(), from.data() + projection_at_, frame.projection.rgba.size());
    }
    const std::size_t planes = plan_.peaks().bytes / 8;
    frame.peaks.resize(planes);
    frame.places.resize(planes);
    for (std::size_t i = 0; i < planes; ++i) {
        const std::byte* peak = from.data() + peaks_at_ + 8 * i;
        std::memcpy(&frame.peaks[i], peak, 4);
        std::memcpy(&frame.places[i], peak + 4, 4);
    }
    std::memcpy(&frame.selection, from.data() + selection_at_, sizeof frame.selection);
    frame.scores.resize(scores_bytes_ / sizeof(float));
    if (scores_bytes_ > 0) {
        std::memcpy(frame.scores.data(), from.data() + scores_at_, scores_bytes_);
    }
    if (exhibit_ && slot.kind != Kind::aside) exhibit_->read(from.subspan(exhibit_down_at_));
    slot.running->times(slot.times);
    frame.segments = slot.times;
    frame.stage_ms = {};
    for (const gpu::SegmentTime& time : frame.segments) {
        frame.stage_ms.add(time.stage, std::max(0.0, time.end_ms - time.start_ms));
    }
    frame.stage_ms.add(Stage::upload, slot.upload_ms);
    slot.running->finished();
}

std::vector<float> Projector::download(const gpu::Slice& slice) const {
    std::vector<float> values(slice.bytes / sizeof(float));
    gpu::download(device_, slice, std::as_writable_bytes(std::span(values)));
    return values;
}

Picture Projector::view() {
    std::vector<gpu::Step> steps;
    const gpu::Buffer& down = slots_.front().readback;
    add_view_steps(steps, down.slice());
    const gpu::Recording recording(device_, pipelines_, std::move(steps),
                                   gpu::Recording::Options::guess(device_.info()));
    scheduler_.wait(scheduler_.submit(recording));
    Picture view(view_width_, view_height_);
    std::memcpy(view.rgba.data(), down.mapped().data(), view.rgba.size());
    return view;
}

}  // namespace deconv::live
