#include "nn/graph.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <set>
#include <tuple>

#include "base/error.h"

namespace deconv::nn {

namespace {

template <typename T>
const T* find(const std::map<std::string, Attributes::Value, std::less<>>& values, std::string_view name,
              const char* kind) {
    const auto found = values.find(name);
    if (found == values.end()) return nullptr;
    const T* value = std::get_if<T>(&found->second);
    if (value == nullptr) throw Error("attribute '" + std::string(name) + "' is not " + kind);
    return value;
}

std::string lower(std::string_view text) {
    // Longer names are told apart well enough by their beginnings; this bounds the cost of the edit distance.
    constexpr std::size_t longest = 256;
    std::string result(text.substr(0, longest));
    for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

/// Levenshtein's distance, one row at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[b.size()];
}

}  // namespace

std::int64_t Attributes::integer(std::string_view name, std::int64_t fallback) const {
    const auto* value = find<std::int64_t>(values_, name, "an integer");
    return value != nullptr ? *value : fallback;
}

float Attributes::real(std::string_view name, float fallback) const {
    const auto* value = find<float>(values_, name, "a real number");
    return value != nullptr ? *value : fallback;
}

std::string Attributes::text(std::string_view name, std::string fallback) const {
    const auto* value = find<std::string>(values_, name, "a text");
    if (value != nullptr) return *value;
    return fallback;
}

std::vector<std::int64_t> Attributes::integers(std::string_view name, std::vector<std::int64_t> fallback) const {
    const auto* value = find<std::vector<std::int64_t>>(values_, name, "a list of integers");
    if (value != nullptr) return *value;
    return fallback;
}

std::vector<float> Attributes::reals(std::string_view name, std::vector<float> fallback) const {
    const auto* value = find<std::vector<float>>(values_, name, "a list of real numbers");
    if (value != nullptr) return *value;
    return fallback;
}

const HostTensor* Attributes::tensor(std::string_view name) const {
    return find<HostTensor>(values_, name, "a tensor");
}

std::vector<std::string> nearest_names(std::string_view wanted, const std::vector<std::string>& candidates,
                                       std::size_t count) {
    const std::string target = lower(wanted);
    // Sorted by: one is the beginning of the other, one holds the other, distance, place in the list.
    using Rank = std::tuple<int, std::size_t, std::size_t>;
    std::vector<Rank> ranks;
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const std::string candidate = lower(candidates[i]);
        if (candidate.empty() || !seen.insert(candidates[i]).second) continue;
        int tier = 2;
        if (!target.empty()) {
            if (candidate.starts_with(target) || target.starts_with(candidate)) {
                tier = 0;
            } else if (candidate.find(target) != std::string::npos) {
                tier = 1;
            }
        }
        ranks.emplace_back(tier, edit_distance(target, candidate), i);
    }
    const std::size_t kept = std::min(count, ranks.size());
    std::partial_sort(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(kept), ranks.end());
    std::vector<std::string> names;
    for (std::size_t i = 0; i < kept; ++i) names.push_back(candidates[std::get<2>(ranks[i])]);
    return names;
}

}  // namespace deconv::nn
