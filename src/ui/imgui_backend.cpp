#include "ui/imgui_backend.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>
#include <backends/imgui_impl_glfw.h>
#include <backends/imgui_impl_vulkan.h>
#include <imgui.h>

#include <algorithm>

#include "base/error.h"

namespace deconv::ui {
namespace {

void check(VkResult result) {
    if (result != VK_SUCCESS) throw Error("the window's overlay failed on the device");
}

void set_style(float scale) {
    ImGui::StyleColorsDark();
    ImGuiStyle& style = ImGui::GetStyle();
    style.WindowRounding = 6;
    style.FrameRounding = 4;
    style.GrabRounding = 4;
    style.WindowBorderSize = 0;
    style.Colors[ImGuiCol_WindowBg] = ImVec4(0.08F, 0.085F, 0.09F, 0.86F);
    style.Colors[ImGuiCol_Button] = style.Colors[ImGuiCol_FrameBg] = ImVec4(0.2F, 0.21F, 0.23F, 1);
    style.Colors[ImGuiCol_PlotHistogram] = style.Colors[ImGuiCol_PlotLines] = ImVec4(0.95F, 0.65F, 0.25F, 1);
    style.ScaleAllSizes(scale);
}

}  // namespace

ImGuiBackend::ImGuiBackend(const gpu::Device& device, const Window& window) : device_(device) {
    const vk::DescriptorPoolSize size(vk::DescriptorType::eCombinedImageSampler, 8);
    pool_ = device.handle().createDescriptorPoolUnique({vk::DescriptorPoolCreateFlagBits::eFreeDescriptorSet, 8, size});
    ImGui::CreateContext();
    ImGui::GetIO().IniFilename = nullptr;
    float scale = 1;
    glfwGetWindowContentScale(window.handle(), &scale, nullptr);
    scale = std::max(1.0F, scale);
    ImFontConfig font;
    font.SizePixels = 15 * scale;
    ImGui::GetIO().Fonts->AddFontDefault(&font);
    set_style(scale);
    ImGui_ImplGlfw_InitForVulkan(window.handle(), true);
    ImGui_ImplVulkan_InitInfo info{};
    info.Instance = device.instance();
    info.PhysicalDevice = device.physical();
    info.Device = device.handle();
    info.QueueFamily = device.queue_family();
    info.Queue = device.queue();
    info.DescriptorPool = *pool_;
    info.MinImageCount = 2;
    info.ImageCount = std::max(2U, window.image_count());
    info.MSAASamples = VK_SAMPLE_COUNT_1_BIT;
    info.CheckVkResultFn = check;
    ImGui_ImplVulkan_Init(&info, window.render_pass());
    device.run_once([](vk::CommandBuffer commands) { ImGui_ImplVulkan_CreateFontsTexture(commands); });
    ImGui_ImplVulkan_DestroyFontUploadObjects();
}

ImGuiBackend::~ImGuiBackend() {
    ImGui_ImplVulkan_Shutdown();
    ImGui_ImplGlfw_Shutdown();
    ImGui::DestroyContext();
}

void ImGuiBackend::begin_frame() {
    ImGui_ImplVulkan_NewFrame();
    ImGui_ImplGlfw_NewFrame();
    ImGui::NewFrame();
}

void ImGuiBackend::end_frame() {
    ImGui::Render();
}

void ImGuiBackend::draw(vk::CommandBuffer commands) {
    ImGui_ImplVulkan_RenderDrawData(ImGui::GetDrawData(), commands);
}

}  // namespace deconv::ui
