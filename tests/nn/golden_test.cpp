// The engine's projections against golden data made by an independent PyTorch script (tools/make_golden.py).
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/npy.h"
#include "engine_networks.h"

namespace deconv::testing {
namespace {

const std::string golden_folder = std::string(DECONV_SOURCE_DIR) + "/tests/golden/";

nn::Selection selection_of(const nlohmann::json& projection) {
    nn::Selection s;
    const auto& channel = projection.at("channel");
    if (channel.is_number()) s.channel = channel.get<std::int32_t>();
    if (channel == "all") s.channel = nn::Selection::all;
    const std::string place = projection.at("projection");
    if (place == "max") {
        s.where = nn::Selection::Where::max;
    } else if (place != "all") {
        s.where = nn::Selection::Where::pinned;
        s.y = std::stoi(place);
        s.x = std::stoi(place.substr(place.find(',') + 1));
    }
    s.one = projection.at("start") == "one";
    return s;
}

TEST(EngineGolden, ProjectionsAndPredictionsOfPyTorch) {
    std::ifstream file(golden_folder + "golden.json");
    ASSERT_TRUE(file) << golden_folder;
    const auto manifest = nlohmann::json::parse(file);
    int compared = 0;
    for (const auto& entry : manifest.at("networks")) {
        SCOPED_TRACE(entry.at("name").get<std::string>());
        const NpyArray image = read_npy(golden_folder + entry.at("input").get<std::string>());
        Runner runner(nn::import_onnx(golden_folder + entry.at("model").get<std::string>()));
        const auto& tensors = runner.network().tensors();
        const std::string input = tensors[static_cast<std::size_t>(runner.network().inputs()[0])].name;
        const std::string output = tensors[static_cast<std::size_t>(runner.network().outputs()[0])].name;
        const NpyArray golden = read_npy(golden_folder + entry.at("projections_file").get<std::string>());
        const std::size_t one = golden.data.size() / entry.at("projections").size();
        for (std::size_t k = 0; k < entry.at("projections").size(); ++k) {
            const auto& projection = entry.at("projections")[k];
            SCOPED_TRACE(projection.dump());
            const std::string rule = projection.at("rule");
            runner.plan(projection.at("layer"),
                        rule == "deconv"   ? nn::Rule::deconv
                        : rule == "guided" ? nn::Rule::guided
                                           : nn::Rule::gradient,
                        projection.at("lrn") == "identity" ? nn::LrnReverse::identity : nn::LrnReverse::derivative);
            runner.set_input(input, image.data);
            runner.run({selection_of(projection)});
            EXPECT_LE(relative_error(runner.values(output), entry.at("output").get<std::vector<double>>()), 1e-4);
            if (!projection.at("chosen_channel").is_null()) {
                EXPECT_EQ(runner.selections().at(0).channel, projection.at("chosen_channel").get<int>());
            }
            const auto from = golden.data.begin() + static_cast<std::ptrdiff_t>(k * one);
            EXPECT_LE(relative_error(runner.reconstruction(), {from, from + static_cast<std::ptrdiff_t>(one)}), 1e-4);
            ++compared;
        }
    }
    EXPECT_GE(compared, 20);
}

}  // namespace
}  // namespace deconv::testing
