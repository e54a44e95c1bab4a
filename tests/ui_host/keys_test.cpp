// The key table: everything can be reached, nothing is ambiguous, and the help says it all.
#include "ui/keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>

namespace deconv::ui {
namespace {

constexpr int actions = static_cast<int>(Action::timings) + 1;  // the last of them

TEST(KeyTable, NoKeyTwice) {
    std::map<int, std::string> keys;
    std::map<std::string, int> names;
    for (const Key& key : key_table()) {
        EXPECT_TRUE(keys.emplace(key.key, key.what).second) << key.what << " and " << keys.at(key.key);
        EXPECT_TRUE(names.emplace(key.name, key.key).second) << key.name << " is the name of two keys";
    }
}

TEST(KeyTable, EveryActionHasOneKey) {
    std::map<Action, int> keys;
    for (const Key& key : key_table()) ++keys[key.action];
    for (int i = 0; i < actions; ++i) EXPECT_EQ(keys[static_cast<Action>(i)], 1) << "action " << i;
    EXPECT_EQ(static_cast<int>(keys.size()), actions);
}

TEST(KeyTable, LettersAndDigitsAreNamedAsTheyAreTyped) {
    for (const Key& key : key_table()) {
        const std::string name = key.name;
        ASSERT_FALSE(name.empty());
        // GLFW numbers printable keys by their character on a US keyboard.
        if (name.size() == 1 && name != "+") {
            EXPECT_EQ(key.key, name[0]) << key.what;
        } else {
            EXPECT_TRUE(name == "+" ? key.key == '=' : (key.key >= 256 || key.key == ' ')) << name;
        }
    }
}

TEST(KeyTable, EveryKeyHasHelpThatSaysSomethingOfItsOwn) {
    std::set<std::string> texts;
    for (const Key& key : key_table()) {
        const std::string what = key.what;
        EXPECT_GT(what.size(), 4U) << key.name;
        EXPECT_LE(what.size(), 44U) << key.name << ": too long for the help's column: " << what;
        EXPECT_TRUE(std::all_of(what.begin(), what.end(), [](unsigned char c) { return c >= ' ' && c < 127; }))
            << "the window's font has no other letters: " << what;
        EXPECT_TRUE(texts.insert(what).second) << "two keys: " << what;
    }
}

TEST(KeyTable, GroupsStandTogetherUnderHeadings) {
    std::set<Group> over;
    std::set<std::string> headings;
    Group now = key_table().front().group;
    for (const Key& key : key_table()) {
        if (key.group != now) over.insert(std::exchange(now, key.group));
        EXPECT_EQ(over.count(key.group), 0U) << key.what << " is apart from its group";
    }
    for (int i = 0; i <= static_cast<int>(Group::window); ++i) {
        EXPECT_TRUE(headings.insert(heading(static_cast<Group>(i))).second);
    }
    EXPECT_EQ(headings.count(""), 0U);
    EXPECT_EQ(over.size() + 1, headings.size()) << "a heading without keys";
}

TEST(KeyTable, NamesTheKeyOfAnAction) {
    for (const Key& key : key_table()) EXPECT_EQ(key_of(key.action), key.name);
    EXPECT_EQ(key_of(Action::help), "F1");
    EXPECT_EQ(key_of(Action::next_rule), "R");
}

}  // namespace
}  // namespace deconv::ui
