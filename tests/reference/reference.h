// The float64 reference, all of it.
#pragma once

#include "reference/display.h"
#include "reference/network.h"
#include "reference/receptive_field.h"
#include "reference/start.h"
#include "reference/tensor.h"
