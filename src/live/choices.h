// The words of the command line for choices among a few.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "live/options.h"

namespace deconv::live {

template <typename Choice>
using Choices = std::vector<std::pair<std::string, Choice>>;

inline const Choices<image::Fit>& fit_choices() {
    static const Choices<image::Fit> choices{
        {"crop", image::Fit::crop}, {"stretch", image::Fit::stretch}, {"letterbox", image::Fit::letterbox}};
    return choices;
}

inline const Choices<nn::Rule>& rule_choices() {
    static const Choices<nn::Rule> choices{
        {"deconv", nn::Rule::deconv}, {"guided", nn::Rule::guided}, {"gradient", nn::Rule::gradient}};
    return choices;
}

inline const Choices<nn::LrnReverse>& lrn_choices() {
    static const Choices<nn::LrnReverse> choices{{"identity", nn::LrnReverse::identity},
                                                 {"derivative", nn::LrnReverse::derivative}};
    return choices;
}

inline const Choices<nn::Precision>& precision_choices() {
    static const Choices<nn::Precision> choices{{"single", nn::Precision::single}, {"half", nn::Precision::half}};
    return choices;
}

inline const Choices<image::Display>& display_choices() {
    static const Choices<image::Display> choices{{"signed", image::Display::signed_zero_grey},
                                                 {"positive", image::Display::positive},
                                                 {"norm", image::Display::norm},
                                                 {"range", image::Display::range}};
    return choices;
}

template <typename Choice>
std::vector<std::string> names_of(const Choices<Choice>& choices) {
    std::vector<std::string> names;
    for (const auto& [name, value] : choices) names.push_back(name);
    return names;
}

template <typename Choice>
const std::string& name_of(const Choices<Choice>& choices, Choice choice) {
    for (const auto& [name, value] : choices) {
        if (value == choice) return name;
    }
    return choices.front().first;
}

}  // namespace deconv::live
