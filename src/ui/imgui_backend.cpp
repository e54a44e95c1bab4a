#include "ui/imgui_backend.h"

#define GLFW_INCLUDE_NONE
#include <GLFW/glfw3.h>
#include <backends/imgui_impl_glfw.h>
#include <backends/imgui_impl_vulkan.h>
#include <imgui.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/error.h"

namespace deconv::ui {
namespace {

void check(VkResult result) {
    if (result != VK_SUCCESS) throw Error("the window's overlay failed on the device");
}

/// DejaVu Sans where the system has it (Debian: fonts-dejavu-core), else the small font that comes with Dear ImGui.
void add_font(float scale) {
    for (const char* file : {"/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "/usr/share/fonts/TTF/DejaVuSans.ttf",
                             "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf"}) {
        std::error_code error;
        if (!std::filesystem::exists(file, error)) continue;
        if (ImGui::GetIO().Fonts->AddFontFromFileTTF(file, std::round(15 * scale)) != nullptr) return;
    }
    ImFontConfig font;
    font.SizePixels = 15 * scale;
    ImGui::GetIO().Fonts->AddFontDefault(&font);
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
    style.Colors[ImGuiCol_SliderGrab] = style.Colors[ImGuiCol_CheckMark] = ImVec4(0.95F, 0.65F, 0.25F, 0.8F);
    style.Colors[ImGuiCol_SliderGrabActive] = ImVec4(1, 0.75F, 0.4F, 1);
    style.Colors[ImGuiCol_Header] = style.Colors[ImGuiCol_ButtonHovered] = style.Colors[ImGuiCol_FrameBgHovered] =
        ImVec4(0.3F, 0.31F, 0.33F, 1);
    style.Colors[ImGuiCol_HeaderHovered] = style.Colors[ImGuiCol_ButtonActive] = style.Colors[ImGuiCol_FrameBgActive] =
        ImVec4(0.42F, 0.36F, 0.28F, 1);
    style.Colors[ImGuiCol_PopupBg] = ImVec4(0.11F, 0.115F, 0.12F, 0.97F);
    style.Colors[ImGuiCol_TitleBgActive] = ImVec4(0.16F, 0.165F, 0.17F, 1);
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
    add_font(scale);
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
