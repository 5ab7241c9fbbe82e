// main.cpp - The program: everything it does is in app/.
#include "app/application.h"

int main(int argc, char** argv) { return lifeboat::app::main(argc, argv); }
