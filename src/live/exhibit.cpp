#include "live/exhibit.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace deconv::live {
namespace {

constexpr std::size_t ladder_tiles = 4;  // channels shown of each rung
constexpr int strip_gap = 4;             // pixels

struct PlaneStats {
    float largest, mean;
};

image::Planes planes_of(const gpu::Slice& tensor, const nn::Shape& shape) {
    const nn::Extent extent = nn::extent_of(shape);
    return {tensor, static_cast<int>(extent.channels), static_cast<int>(extent.plane / extent.width),
            static_cast<int>(extent.width)};
}

int layer_of(const nn::Network& network, int tensor) {
    const auto& layers = network.layers();
    const auto found = std::find_if(layers.begin(), layers.end(), [&](const auto& l) { return l.tensor == tensor; });
    return found == layers.end() ? -1 : static_cast<int>(found - layers.begin());
}

std::string detail_of(const std::string& name, const image::Planes& planes) {
    return name + "   " + std::to_string(planes.channels) + " x " + std::to_string(planes.height) + "x" +
           std::to_string(planes.width);
}

/// All feature maps of the layer.
class Maps : public Exhibit {
  public:
    explicit Maps(const ExhibitContext& context)
        : context_(context), target_(context.plan.tensor(context.plan.options().target)) {
        planes_ = planes_of(target_.slice, target_.shape);
        // A plane of one row (fully connected, global pooling) is a vector: its units are the maps.
        grid_ = image::map_grid(planes_.channels, planes_.width, planes_.height, 1.2);
        stats_.resize(static_cast<std::size_t>(planes_.channels));
    }

    image::DevicePicture picture_size() const override { return {{}, grid_.width(), grid_.height()}; }
    std::uint64_t readback_bytes() const override { return stats_.size() * sizeof(PlaneStats); }
    void add_steps(std::vector<gpu::Step>& steps, const image::DevicePicture& picture, const gpu::Slice& /*upload*/,
                   const gpu::Slice& readback) const override {
        gpu::Step maps = image::maps_step(context_.device.info(), grid_, target_.slice, context_.plan.peaks(),
                                          context_.plan.selections(), picture.slice);
        maps.stage = "publish";
        steps.push_back(std::move(maps));
        steps.push_back(image::plane_stats_step(planes_, readback));
    }
    void read(std::span<const std::byte> readback) override {
        std::memcpy(static_cast<void*>(stats_.data()), readback.data(), readback_bytes());
    }
    void state(ExhibitState& into) const override {
        into.show = Show::maps;
        into.width = grid_.width();
        into.height = grid_.height();
        into.maps = grid_;
        into.rows.resize(1);
        std::vector<ExhibitTile>& tiles = into.rows[0].tiles;
        tiles.resize(stats_.size());
        for (int c = 0; c < planes_.channels; ++c) {
            const auto [left, top] = grid_.origin(c);
            const PlaneStats& stats = stats_[static_cast<std::size_t>(c)];
            tiles[static_cast<std::size_t>(c)] = {
                c,          left, top, grid_.map_width * grid_.scale, grid_.map_height * grid_.scale, stats.largest,
                stats.mean, 0};
        }
    }

  private:
    ExhibitContext context_;
    nn::Tensor target_;
    image::Planes planes_;
    image::MapGrid grid_;
    std::vector<PlaneStats> stats_;
};

/// Rows of tensors, each by its strongest channels.  Which those are is known on the host one frame late.
class Strip : public Exhibit {
  public:
    Strip(Show show, const ExhibitContext& context) : show_(show), context_(context) {
        if (show == Show::ladder) {
            add_rungs();
        } else {
            add_stages();
        }
        lay_out();
    }

    image::DevicePicture picture_size() const override { return {{}, width_, height_}; }
    std::uint64_t upload_bytes() const override { return std::max<std::uint64_t>(4, choices_end_); }
    std::uint64_t readback_bytes() const override { return std::max<std::uint64_t>(8, stats_end_); }

    void add_steps(std::vector<gpu::Step>& steps, const image::DevicePicture& picture, const gpu::Slice& upload,
                   const gpu::Slice& readback) const override {
        const gpu::DeviceInfo& device = context_.device.info();
        for (const Line& line : lines_) {
            const gpu::Slice stats = readback.part(line.stats_at, stats_bytes(line));
            steps.push_back(image::plane_stats_step(line.planes, stats));
        }
        for (const Line& line : lines_) {
            const gpu::Slice stats = readback.part(line.stats_at, stats_bytes(line));
            const gpu::Slice choices = upload.part(line.choices_at, line.held.size() * 4);
            const auto style = show_ == Show::ladder ? image::TileStyle::signal : image::TileStyle::activation;
            steps.push_back(image::tiles_step(device, style, line.planes, stats, choices, picture, line.row));
            if (line.switches) {
                const nn::Extent pooled = nn::extent_of(line.switches.shape);
                steps.push_back(image::switches_step(device, line.switches.slice, static_cast<int>(pooled.plane),
                                                     line.planes, choices, picture, line.row));
            }
        }
    }

    void write(std::span<std::byte> upload) override {
        for (const Line& line : lines_) {
            std::memcpy(upload.data() + line.choices_at, line.held.data(), line.held.size() * 4);
        }
    }

    void read(std::span<const std::byte> readback) override {
        for (Line& line : lines_) {
            std::memcpy(static_cast<void*>(line.stats.data()), readback.data() + line.stats_at,
                        line.stats.size() * sizeof(PlaneStats));
            choose(line);
        }
    }

    void state(ExhibitState& into) const override {
        into.show = show_;
        into.width = width_;
        into.height = height_;
        into.rows.resize(lines_.size());
        for (std::size_t l = 0; l < lines_.size(); ++l) {
            const Line& line = lines_[l];
            ExhibitRow& row = into.rows[l];
            row.layer = line.layer;
            row.title = line.title;
            row.detail = line.detail;
            row.vector = line.vector;
            row.tiles.resize(line.held.size());
            for (std::size_t i = 0; i < line.held.size(); ++i) {
                ExhibitTile& tile = row.tiles[i];
                tile = {};
                tile.channel = line.held[i];
                tile.left = line.row.left + static_cast<int>(i) * line.row.step;
                tile.top = line.row.top;
                tile.width = line.row.tile_width;
                tile.height = line.row.tile_height;
                if (tile.channel >= 0) {
                    tile.largest = line.stats[static_cast<std::size_t>(tile.channel)].largest;
                    tile.mean = line.stats[static_cast<std::size_t>(tile.channel)].mean;
                }
            }
        }
    }

  private:
    struct Line {
        int layer = -1;
        std::string title, detail;
        bool vector = false;
        image::Planes planes;
        nn::Tensor switches;
        image::TileRow row;
        std::vector<std::int32_t> held;  // channel of each tile
        std::vector<PlaneStats> stats;
        std::uint64_t stats_at = 0, choices_at = 0;
    };

    static std::uint64_t stats_bytes(const Line& line) { return line.stats.size() * sizeof(PlaneStats); }

    void add_line(int tensor, std::string title, const gpu::Slice& slice, nn::Tensor switches, std::size_t tiles) {
        const nn::Network::TensorInfo& info = context_.network.tensors()[static_cast<std::size_t>(tensor)];
        Line line;
        line.layer = layer_of(context_.network, tensor);
        line.title = std::move(title);
        line.planes = planes_of(slice, info.shape);
        line.detail = detail_of(info.name, line.planes);
        line.switches = std::move(switches);
        line.vector = line.planes.height * line.planes.width == 1 && line.planes.channels > 1;
        if (line.vector) {
            line.planes = {slice, 1, 1, line.planes.channels};
            line.switches = {};
        }
        line.held.assign(std::min<std::size_t>(tiles, static_cast<std::size_t>(line.planes.channels)), -1);
        line.stats.resize(static_cast<std::size_t>(line.planes.channels));
        lines_.push_back(std::move(line));
    }

    void add_rungs() {
        for (const nn::Rung& rung : context_.plan.rungs()) {
            const nn::Shape& shape = context_.network.tensors()[static_cast<std::size_t>(rung.tensor)].shape;
            if (shape.size() > 4) continue;
            std::string title = "start";
            if (rung.node >= 0) {
                const std::string& op = context_.network.nodes()[static_cast<std::size_t>(rung.node)].node->op;
                if (op == "MaxPool" || op == "GlobalMaxPool") {
                    title = "unpool";
                } else if (op == "Relu" || op == "Clip" || op == "LeakyRelu" || op == "PRelu") {
                    title = "rectify";
                } else if (op == "Conv" || op == "Gemm" || op == "MatMul" || op == "ConvTranspose") {
                    title = "filter";
                } else {
                    title = op;
                    // What only hands the signal on shows nothing new.
                    if (op == "Dropout" || op == "Identity" || op == "Flatten" || op == "Reshape") continue;
                }
            }
            const auto bytes = static_cast<std::uint64_t>(nn::elements(shape)) * 4;
            add_line(rung.tensor, std::move(title), rung.signal.slice.part(0, bytes), rung.switches, ladder_tiles);
        }
    }

    void add_stages() {
        for (const nn::Network::Layer& layer : context_.network.layers()) {
            if (!layer.stage) continue;
            const nn::Tensor tensor = context_.plan.tensor(layer.tensor);
            if (tensor.shape.size() > 4 || !tensor) continue;
            add_line(layer.tensor, layer.op, tensor.slice, {}, 1);
        }
    }

    /// Cells in reading order, each with room for a title above its tiles, which the window writes.
    void lay_out() {
        const bool ladder = show_ == Show::ladder;
        const int count = static_cast<int>(lines_.size());
        const int tile = ladder ? 96 : 144;
        const int cell_width = (tile + strip_gap) * (ladder ? static_cast<int>(ladder_tiles) : 1) + 2 * strip_gap;
        const int cell_height = tile + strip_title + 2 * strip_gap;
        const double ideal = std::sqrt(1.3 * count * cell_height / cell_width);
        const int columns = image::grid_columns(std::max(1, count), ideal);
        for (int i = 0; i < count; ++i) {
            Line& line = lines_[static_cast<std::size_t>(i)];
            image::TileRow& row = line.row;
            row.tile_height = row.tile_width = tile;
            const double aspect = static_cast<double>(line.planes.width) / line.planes.height;
            if (line.vector) {
                row.tile_height = tile / 3;
            } else if (aspect > 1) {
                row.tile_height = std::max(4, static_cast<int>(tile / std::min(aspect, 8.0)));
            } else if (aspect < 1) {
                row.tile_width = std::max(4, static_cast<int>(tile * std::max(aspect, 0.125)));
            }
            row.step = tile + strip_gap;
            row.count = static_cast<int>(line.held.size());
            row.left = strip_gap + i % columns * cell_width;
            row.top = i / columns * cell_height + strip_title;
            line.stats_at = stats_end_;
            stats_end_ = gpu::align_up(stats_end_ + stats_bytes(line), 256);
            line.choices_at = choices_end_;
            choices_end_ = gpu::align_up(choices_end_ + line.held.size() * 4, 256);
        }
        width_ = columns * cell_width;
        height_ = std::max(1, (count + columns - 1) / columns) * cell_height;
    }

    /// Tiles keep their channel while it is among the strongest, so that they do not jump about.
    void choose(Line& line) {
        std::vector<std::int32_t>& order = order_;
        order.resize(line.stats.size());
        std::iota(order.begin(), order.end(), 0);
        const auto largest = [&](std::int32_t c) { return line.stats[static_cast<std::size_t>(c)].largest; };
        const std::size_t count = line.held.size();
        std::partial_sort(
            order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
            [&](auto a, auto b) { return largest(a) > largest(b) || (largest(a) == largest(b) && a < b); });
        const float least = largest(order[count - 1]) * 0.8F;
        std::vector<std::int32_t>& fresh = fresh_;
        fresh.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
        while (!fresh.empty() && largest(fresh.back()) <= 0) fresh.pop_back();  // what is silent shows nothing
        for (std::int32_t& held : line.held) {
            const bool stays = held >= 0 && largest(held) >= least && largest(held) > 0;
            const auto there = std::find(fresh.begin(), fresh.end(), held);
            if (there != fresh.end()) {
                fresh.erase(there);
            } else if (!stays) {
                held = -1;
            } else if (!fresh.empty()) {
                fresh.pop_back();  // the weakest newcomer waits
            }
        }
        auto next = fresh.begin();
        for (std::int32_t& held : line.held) {
            if (held < 0 && next != fresh.end()) held = *next++;
        }
    }

    Show show_;
    ExhibitContext context_;
    std::vector<Line> lines_;
    std::vector<std::int32_t> order_, fresh_;  // of choose()
    int width_ = 1, height_ = 1;
    std::uint64_t stats_end_ = 0, choices_end_ = 0;
};

/// Projections of all channels as thumbnails, some of them new in every frame, the oldest first.
class Mosaic : public Exhibit {
  public:
    explicit Mosaic(const ExhibitContext& context) : context_(context) {
        const nn::Shape& shape =
            context.network.tensors()[static_cast<std::size_t>(context.plan.options().target)].shape;
        const auto channels = static_cast<int>(nn::extent_of(shape).channels);
        grid_ = image::thumbnail_grid(channels, context.input_width, context.input_height, 1.2, 2.0e6);
        drawn_.assign(static_cast<std::size_t>(channels), -1);
    }

    image::DevicePicture picture_size() const override { return {{}, grid_.width(), grid_.height()}; }
    void add_steps(std::vector<gpu::Step>& steps, const image::DevicePicture& picture, const gpu::Slice& /*upload*/,
                   const gpu::Slice& /*readback*/) const override {
        steps.push_back(image::mosaic_step(context_.device.info(), context_.pictures, 1, count(), context_.input_width,
                                           context_.input_height, context_.plan.selections(), grid_, picture.slice));
    }
    void batch(const nn::Selection& main, double now, std::span<nn::Selection> more) override {
        for (nn::Selection& selection : more) {
            selection = main;
            selection.channel = next_;
            drawn_[static_cast<std::size_t>(next_)] = now;
            next_ = (next_ + 1) % grid_.channels;
        }
    }
    void state(ExhibitState& into) const override {
        into.show = Show::mosaic;
        into.width = grid_.width();
        into.height = grid_.height();
        into.mosaic = grid_;
        into.rows.resize(1);
        std::vector<ExhibitTile>& tiles = into.rows[0].tiles;
        tiles.resize(drawn_.size());
        for (int c = 0; c < grid_.channels; ++c) {
            tiles[static_cast<std::size_t>(c)] = {c,
                                                  c % grid_.columns * (grid_.tile_width + grid_.gap),
                                                  c / grid_.columns * (grid_.tile_height + grid_.gap),
                                                  grid_.tile_width,
                                                  grid_.tile_height,
                                                  0,
                                                  0,
                                                  drawn_[static_cast<std::size_t>(c)]};
        }
    }

  private:
    int count() const { return static_cast<int>(context_.plan.options().copies) - 1; }

    ExhibitContext context_;
    image::ThumbnailGrid grid_;
    std::vector<double> drawn_;  // seconds; negative: not yet
    int next_ = 0;
};

}  // namespace

std::unique_ptr<Exhibit> make_exhibit(Show show, const ExhibitContext& context) {
    switch (show) {
        case Show::projection:
            return nullptr;
        case Show::maps:
            return std::make_unique<Maps>(context);
        case Show::mosaic:
            return std::make_unique<Mosaic>(context);
        case Show::ladder:
        case Show::network:
            return std::make_unique<Strip>(show, context);
    }
    return nullptr;
}

void prepare_plan(Show show, const nn::Network& network, int batch, nn::PlanOptions& options) {
    if (show == Show::ladder) options.keep_signals = true;
    if (show == Show::mosaic) {
        const nn::Shape& shape = network.tensors()[static_cast<std::size_t>(options.target)].shape;
        options.copies = 1 + std::clamp<std::int64_t>(batch, 1, nn::extent_of(shape).channels);
    }
    if (show == Show::network) {
        for (const nn::Network::Layer& layer : network.layers()) {
            if (layer.stage) options.observed.insert(layer.tensor);
        }
    }
}

}  // namespace deconv::live
