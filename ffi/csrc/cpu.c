/* What the CPU can do. C, because it is compiled for any x86-64: the Rust side may be built for more. */

#include "shim.h"

int pxtr_cpu_is_x86_64_v3(void)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") &&
	       __builtin_cpu_supports("popcnt");
#else
	return 0;
#endif
}
