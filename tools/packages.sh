# Sourced by tools/run and tools/test: installs the Debian packages that are missing, then configures and builds.
# Everything it says goes to standard error, so that standard output is the program's own.

build_packages="g++ cmake ninja-build pkg-config libvulkan-dev glslc spirv-tools libopencv-dev libonnx-dev
    libprotobuf-dev protobuf-compiler libcli11-dev nlohmann-json3-dev libavformat-dev libavcodec-dev libavutil-dev
    libswscale-dev libpng-dev libglfw3-dev libglm-dev libimgui-dev fonts-dejavu-core libcurl4-openssl-dev
    ca-certificates mesa-vulkan-drivers libvkfft-dev libshaderc-dev glslang-dev zlib1g-dev"
test_packages="libgtest-dev libonnx-testdata vulkan-validationlayers chromium ffmpeg xvfb xdotool libx11-dev
    python3-numpy python3-onnx"

# install_missing PACKAGE...: with apt, as root or by sudo; otherwise prints the line to run and stops.
install_missing() {
    local missing=() name
    command -v dpkg-query >/dev/null || { echo "This script installs packages with apt: Debian 12 is needed (see README.md)." >&2; exit 1; }
    for name in "$@"; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Packages are missing. As root run, then start again:" >&2
            echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
            exit 1
        fi
        sudo=(sudo)
    fi
    echo "Installing: ${missing[*]}" >&2
    "${sudo[@]}" apt-get update -q >&2 || echo "apt-get update failed; trying with the package lists at hand" >&2
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
}

# build ROOT TARGET...: a release in ROOT/build/release; costs only what changed.
build() {
    local root=$1
    shift
    cd "$root"
    [ -f build/release/build.ninja ] || cmake --preset release >&2
    cmake --build --preset release --target "$@" >&2
    cd - >/dev/null
}
