#include "train/log.h"

#include <cinttypes>
#include <cstdio>

#include "base/whole_file.h"

namespace deconv::train {
void write_log(const std::string& path, const std::vector<EpochResult>& results) {
    std::string text =
        "epoch,learning_rate,train_loss,train_accuracy,test_loss,test_accuracy,images_per_second,seconds\n";
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
