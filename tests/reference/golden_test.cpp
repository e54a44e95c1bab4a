// The reference against golden projections made by an independent PyTorch script (tools/make_golden.py).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/npy.h"
#include "reference/reference.h"

namespace deconv::reference {
namespace {

const std::string golden_folder = std::string(DECONV_SOURCE_DIR) + "/tests/golden/";

Tensor read_tensor(const std::string& name) {
    const NpyArray array = read_npy(golden_folder + name);
    return {array.shape, {array.data.begin(), array.data.end()}};
}

Tensor image_of(const Tensor& batch, std::int64_t n) {
    Tensor one = Tensor::zeros({1, batch.shape[1], batch.shape[2], batch.shape[3]});
    std::copy_n(batch.data.begin() + n * one.size(), one.size(), one.data.begin());
    return one;
}

ChannelChoice channel_of(const nlohmann::json& text) {
    if (text.is_number()) return ChannelChoice::number(text.get<std::int64_t>());
    return text == "all" ? ChannelChoice::all() : ChannelChoice::strongest();
}

PlaceChoice place_of(const std::string& text) {
    if (text == "all") return PlaceChoice::all();
    if (text == "max") return PlaceChoice::max();
    return PlaceChoice::at(std::stoll(text), std::stoll(text.substr(text.find(',') + 1)));
}

Rule rule_of(const std::string& text) {
    return text == "deconv" ? Rule::deconv : text == "guided" ? Rule::guided : Rule::gradient;
}

TEST(Golden, ProjectionsAndPredictionsOfPyTorch) {
    std::ifstream file(golden_folder + "golden.json");
    ASSERT_TRUE(file) << golden_folder;
    int compared = 0;
    const auto manifest = nlohmann::json::parse(file);
    for (const auto& entry : manifest.at("networks")) {
        SCOPED_TRACE(entry.at("name").get<std::string>());
        const Network network = Network::load(golden_folder + entry.at("model").get<std::string>());
        const std::string input = network.inputs().at(0).first;
        const auto values = network.forward({{input, read_tensor(entry.at("input"))}});
        const Tensor& output = values.at(network.outputs().at(0));
        const auto probabilities = entry.at("output").get<std::vector<double>>();
        EXPECT_LT(relative_error(output, {output.shape, probabilities}), 1e-8);

        const Tensor golden = read_tensor(entry.at("projections_file"));
        for (std::size_t k = 0; k < entry.at("projections").size(); ++k) {
            const auto& p = entry.at("projections")[k];
            SCOPED_TRACE(p.dump());
            const std::string layer = p.at("layer");
            const Tensor& activation = values.at(network.start_of(layer));
            if (p.at("channel") == "strongest") {
                EXPECT_EQ(strongest_channel(activation), p.at("chosen_channel").get<std::int64_t>());
            }
            const Tensor start = make_start(activation, channel_of(p.at("channel")), place_of(p.at("projection")),
                                            p.at("start") == "one" ? StartValue::one : StartValue::value);
            const Tensor r0 = network.project(values, layer, start, rule_of(p.at("rule")),
                                              p.at("lrn") == "identity" ? Lrn::identity : Lrn::derivative, input);
            EXPECT_LT(relative_error(r0, image_of(golden, static_cast<std::int64_t>(k))), 1e-6);
            ++compared;
        }
    }
    EXPECT_GE(compared, 20);
}

}  // namespace
}  // namespace deconv::reference
