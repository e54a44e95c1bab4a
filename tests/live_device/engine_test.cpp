// Engines, what they share, and making them in the background.
#include "live/engine.h"

#include <filesystem>

#include "live_device/live_device_testing.h"

namespace deconv::testing {
namespace {

using live::EngineBuilder;
using live::EngineSpec;
using live::NetworkShelf;

class LiveEngines : public ::testing::Test {
  protected:
    EngineSpec spec(const std::string& layer = "relu2") const {
        EngineSpec wanted;
        wanted.model = model_;
        wanted.layer_name = layer;
        return wanted;
    }
    std::unique_ptr<live::Engine> make(const EngineSpec& wanted) {
        return live::make_engine(engine().device, engine().pipelines, engine().scheduler, shelf_, wanted, 40, 30);
    }
    /// R₀ of a picture; of the strongest channel unless asked otherwise.
    static std::vector<float> projected(live::Engine& made, const nn::Selection& selection = {}) {
        Picture picture(40, 30);
        for (std::size_t i = 0; i < picture.rgba.size(); ++i) {
            if (i % 4 != 3) picture.rgba[i] = static_cast<std::uint8_t>(i * 37 % 251);
        }
        made.projector->submit(picture, selection, 0);
        made.projector->collect();
        return made.projector->download(made.projector->plan().reconstruction().slice);
    }

    TempDir folder_;
    std::string model_ = write_chain_model(folder_);
    NetworkShelf shelf_{engine().device};
};

TEST_F(LiveEngines, SharedIsWhatIsTheSame) {
    const auto first = shelf_.get(model_, 0, 0, 0);
    EXPECT_EQ(shelf_.get(model_, 0, 0, 0), first);
    EXPECT_EQ(first->learned_layers, 2);
    EXPECT_EQ(first->random_layers, 0);
    const auto wide = shelf_.get(model_, 40, 16, 0);
    const auto random = shelf_.get(model_, 0, 0, 1);
    const auto both = shelf_.get(model_, 40, 16, 9);
    for (const auto& other : {wide, random, both}) {
        EXPECT_NE(other, first);
        EXPECT_EQ(other->file, first->file) << "the file was read again";
        EXPECT_EQ(other->model->shared_constants(), first->model->shared_constants());
    }
    EXPECT_EQ(random->random_layers, 1);
    EXPECT_EQ(both->random_layers, 2) << "no more than were learned";
    EXPECT_EQ(shelf_.get(model_, 40, 16, 0), wide);
    // The same random weights everywhere, and learned ones that are the file's own.
    const auto& learned = first->file->graph.constants;
    const auto& top = random->model->network().graph().constants;
    const auto& all = both->model->network().graph().constants;
    EXPECT_EQ(top.at("conv1_w").floats, learned.at("conv1_w").floats);
    EXPECT_NE(*top.at("conv2_w").floats, *learned.at("conv2_w").floats);
    EXPECT_EQ(all.at("conv2_w").floats, top.at("conv2_w").floats);
    EXPECT_NE(*all.at("conv1_w").floats, *learned.at("conv1_w").floats);
    EXPECT_EQ(wide->model->network().graph().constants.at("conv2_w").floats, learned.at("conv2_w").floats);
}

TEST_F(LiveEngines, AFileThatChangedIsReadAnew) {
    auto first = shelf_.get(model_, 0, 0, 1);
    EXPECT_EQ(first->layers.at(2).channels, 6);
    const auto file = first->file;
    write_chain_model(folder_, "chain", 9);
    std::filesystem::last_write_time(model_, std::filesystem::last_write_time(model_) + std::chrono::seconds(5));
    // While the old one is still in use, and when it is not.
    for (int i = 0; i < 2; ++i) {
        const auto second = shelf_.get(model_, 0, 0, 1);
        EXPECT_NE(second->file, file);
        EXPECT_EQ(second->layers.at(2).channels, 9) << "weights of the network that is gone";
        EXPECT_EQ(second->model->network().graph().constants.at("conv2_w").shape, (nn::Shape{9, 4, 3, 3}));
        first.reset();
    }
}

TEST_F(LiveEngines, LayersByNameByIndexOrTheDefault) {
    EXPECT_EQ(make(spec("relu1"))->layer, 0);
    EXPECT_EQ(make(spec("relu2"))->layer, 2);
    const int fallback = make(spec(""))->layer;
    EXPECT_EQ(make(spec("of another network"))->layer, fallback);
    EngineSpec numbered = spec();
    numbered.layer = 1;
    EXPECT_EQ(make(numbered)->layer, 1);
    numbered.layer = 1000;
    const auto last = make(numbered);
    EXPECT_EQ(last->layer, static_cast<int>(last->network->layers.size()) - 1);
}

TEST_F(LiveEngines, SayWhatIsWrong) {
    EngineSpec wrong = spec();
    wrong.model = folder_ / "missing.onnx";
    EXPECT_CONTAINS(error_of([&] { make(wrong); }), "missing.onnx");
    write_text(folder_ / "broken.onnx", "no network");
    wrong.model = folder_ / "broken.onnx";
    EXPECT_CONTAINS(error_of([&] { make(wrong); }), "broken.onnx");
}

/// What another engine has brought to the device changes no number.
TEST_F(LiveEngines, NumbersAreThoseOfAnEngineAlone) {
    const auto learned = make(spec());
    EngineSpec wanted = spec();
    wanted.random_layers = 1;
    const auto random = make(wanted);
    wanted.width = 31;
    wanted.height = 17;
    const auto both = make(wanted);
    for (const auto* made : {&learned, &random, &both}) {
        NetworkShelf own(engine().device);
        const auto alone =
            live::make_engine(engine().device, engine().pipelines, engine().scheduler, own, (*made)->spec, 40, 30);
        const std::vector<float> expected = projected(*alone);
        EXPECT_NE(expected, std::vector<float>(expected.size(), 0.0F)) << "all zero: this shows nothing";
        EXPECT_EQ(projected(**made), expected);
    }
    EXPECT_NE(projected(*learned), projected(*random));
}

/// Projections of all positions and of single ones, in turn on the same engine: the single ones' are cropped, and are
/// what they would be otherwise.
TEST_F(LiveEngines, SinglePositionsAreCropped) {
    using Where = nn::Selection::Where;
    EngineSpec wanted = spec();
    wanted.width = wanted.height = 512;  // else cropping gains nothing
    const auto made = make(wanted);
    ASSERT_FALSE(made->projector->plan().single_steps().empty());
    Runner whole(made->graph().graph(), {{"image", {1, 3, 512, 512}}});
    whole.plan("relu2");
    for (const Where where : {Where::all, Where::pinned, Where::max, Where::all, Where::pinned}) {
        nn::Selection selection;
        selection.where = where;
        selection.y = 255;
        selection.x = 3;
        selection.one = true;
        const std::vector<float> found = projected(*made, selection);
        const nn::Plan& plan = made->projector->plan();
        whole.set_input("image", made->projector->download(plan.tensor(made->graph().inputs()[0]).slice));
        whole.run({selection});
        const std::vector<float> expected = whole.reconstruction();
        EXPECT_LE(relative_error(found, {expected.begin(), expected.end()}), 1e-5) << static_cast<int>(where);
        made->projector->submit(Picture(40, 30), selection, 0);
        const live::ProjectedFrame frame = made->projector->collect();
        const bool cropped = std::any_of(frame.segments.begin(), frame.segments.end(), [](const auto& segment) {
            return segment.label.find(" crop") != std::string::npos;
        });
        EXPECT_EQ(cropped, where != Where::all);
    }
}

class LiveBuilder : public LiveEngines {
  protected:
    /// Takes everything until nothing is under way.
    std::vector<EngineBuilder::Result> take_all() {
        std::vector<EngineBuilder::Result> results;
        eventually([&] {
            const bool busy = builder_.busy();
            if (auto result = builder_.take()) results.push_back(std::move(*result));
            return !busy;
        });
        if (auto result = builder_.take()) results.push_back(std::move(*result));
        return results;
    }

    EngineBuilder builder_{engine().device, engine().pipelines, engine().scheduler, shelf_};
};

TEST_F(LiveBuilder, TheNewestWishWins) {
    EXPECT_FALSE(builder_.busy());
    EXPECT_FALSE(builder_.take());
    for (int round = 0; round < 5; ++round) {
        constexpr int wishes = 12;
        EngineSpec wanted = spec();
        for (int i = 0; i < wishes; ++i) {
            wanted.layer = (i + round) % 3;
            wanted.rule = static_cast<nn::Rule>((i + round) % 3);
            wanted.blur = i;
            builder_.want(wanted, 40, 30);
        }
        EXPECT_TRUE(builder_.busy());
        const auto results = take_all();
        ASSERT_FALSE(results.empty());
        EXPECT_LT(results.size(), wishes) << "all of them were made, one after the other";
        EXPECT_EQ(results.back().spec, wanted);
        ASSERT_TRUE(results.back().engine) << results.back().error;
        EXPECT_EQ(results.back().engine->spec, wanted);
        EXPECT_EQ(results.back().engine->layer, wanted.layer);
    }
}

TEST_F(LiveBuilder, ErrorsLeaveItUsable) {
    EngineSpec wrong = spec();
    wrong.model = folder_ / "missing.onnx";
    for (int round = 0; round < 3; ++round) {
        builder_.want(wrong, 40, 30);
        const auto failed = take_all();
        ASSERT_EQ(failed.size(), 1U);
        EXPECT_FALSE(failed[0].engine);
        EXPECT_EQ(failed[0].spec, wrong);
        EXPECT_CONTAINS(failed[0].error, "missing.onnx");
        builder_.want(spec(), 40, 30);
        const auto made = take_all();
        ASSERT_EQ(made.size(), 1U);
        ASSERT_TRUE(made[0].engine) << made[0].error;
        EXPECT_EQ(made[0].error, "");
        EXPECT_FALSE(projected(*made[0].engine).empty());
    }
}

TEST_F(LiveBuilder, WaitsForWhatIsFinished) {
    builder_.want(spec(), 0, 0);
    builder_.wait(60);
    const auto result = builder_.take();
    ASSERT_TRUE(result && result->engine);
    EXPECT_FALSE(builder_.take()) << "the same result twice";
}

/// It goes while an engine is being made and another one is wanted.
TEST_F(LiveBuilder, GoesWhileSomethingIsUnderWay) {
    for (int i = 0; i < 10; ++i) {
        EngineBuilder other(engine().device, engine().pipelines, engine().scheduler, shelf_);
        other.want(spec(), 40, 30);
        if (i % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(i));
        other.want(spec("relu1"), 40, 30);
    }
}

}  // namespace
}  // namespace deconv::testing
