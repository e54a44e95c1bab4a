#include "train/log.h"

#include <cinttypes>
#include <cstdio>
#include <fstream>

#include "base/error.h"
#include "base/whole_file.h"

namespace deconv::train {
namespace {

const std::string names =
    "epoch,learning_rate,train_loss,train_accuracy,test_loss,test_accuracy,images_per_second,seconds";

}  // namespace

std::vector<EpochResult> read_log(const std::string& path) {
    std::vector<EpochResult> results;
    std::ifstream file(path);
    if (!file) return results;
    std::string line;
    if (!std::getline(file, line) || line != names) throw Error(path + " is no log of deconv-train: move it away");
    while (std::getline(file, line)) {
        EpochResult r;
        if (std::sscanf(line.c_str(), "%" SCNd64 ",%lf,%lf,%lf,%lf,%lf,%lf,%lf", &r.epoch, &r.learning_rate,
                        &r.train_loss, &r.train_accuracy, &r.test_loss, &r.test_accuracy, &r.images_per_second,
                        &r.seconds) != 8) {
            throw Error(path + ": \"" + line + "\" is no line of its log");
        }
        results.push_back(r);
    }
    return results;
}

void write_log(const std::string& path, const std::vector<EpochResult>& results) {
    std::string text = names + "\n";
    for (const EpochResult& r : results) {
        char line[256];
        std::snprintf(line, sizeof line, "%" PRId64 ",%.8g,%.6f,%.6f,%.6f,%.6f,%.1f,%.1f\n", r.epoch, r.learning_rate,
                      r.train_loss, r.train_accuracy, r.test_loss, r.test_accuracy, r.images_per_second, r.seconds);
        text += line;
    }
    WholeFile file(path);
    file.write(text.data(), text.size());
    file.commit();
}

}  // namespace deconv::train
