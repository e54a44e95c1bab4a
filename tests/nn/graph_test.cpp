// Shapes, and the names offered where a person wrote one that does not exist.
#include "nn/graph.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace deconv::nn {
namespace {

TEST(NearestNames, PrefixesFirstThenByDistance) {
    const std::vector<std::string> names{"conv1", "conv2", "fire9/concat", "pool1", "conv1", "fire9/relu", "Conv10"};
    EXPECT_EQ(nearest_names("conv1", names), (std::vector<std::string>{"conv1", "Conv10", "conv2"}));
    EXPECT_EQ(nearest_names("FIRE9", names, 2), (std::vector<std::string>{"fire9/relu", "fire9/concat"}));
    EXPECT_EQ(nearest_names("fire9/concta", names, 1), (std::vector<std::string>{"fire9/concat"}));
    EXPECT_EQ(nearest_names("concat", names, 1), (std::vector<std::string>{"fire9/concat"}));
    EXPECT_EQ(nearest_names("pol1", names, 1), (std::vector<std::string>{"pool1"}));
    EXPECT_TRUE(nearest_names("x", {}).empty());
    EXPECT_EQ(nearest_names("", names, 9).size(), 6U);
    EXPECT_EQ(nearest_names(std::string(1000000, 'x'), names, 1).size(), 1U);
}

TEST(Shapes, CountAndText) {
    EXPECT_EQ(elements({}), 1);
    EXPECT_EQ(elements({2, 3, 0}), 0);
    EXPECT_EQ(elements({2, 3, 4}), 24);
    EXPECT_THROW(elements({2, -1}), Error);
    EXPECT_THROW(elements({std::int64_t{1} << 40, std::int64_t{1} << 40}), Error);
    EXPECT_EQ(to_string({1, 3, -1, 224}), "1x3x?x224");
    EXPECT_EQ(to_string({}), "scalar");
    EXPECT_THROW(HostTensor::of({2}, std::vector<float>{1}), Error);
}

}  // namespace
}  // namespace deconv::nn
