// supervise.cpp - The supervisor alone, for tests: launchers there are made with its path
// (LIFEBOAT_SUPERVISOR_PATH), where the product passes its own (/proc/self/exe).
#include "client/process/launcher.h"

int main(int argc, char** argv) { return lifeboat::supervise(argc, argv); }
